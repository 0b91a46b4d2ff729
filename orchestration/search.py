"""Optuna through Ray Tune, rightly: ask and tell on a study of the sweep's own.

Ray's OptunaSearch tells Optuna that a pruned trial is COMPLETE with its last rung's value, and
TPE then takes a score after two epochs for a final one. Here every epoch is reported as an
intermediate value and a trial that stops early is told PRUNED. What a dead driver left RUNNING is
taken up again rather than asked again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from ray.tune.search import Searcher
from sqlalchemy.exc import SQLAlchemyError

from drmn.errors import ConfigError
from drmn.names import EPOCH
from drmn.seeding import derive_seed
from orchestration.events import CHECKPOINTS, OVERRIDES, TRIAL
from orchestration.request import SweepRequest
from search_spaces.domain import Choice, Domain, LogUniform

STUDY_FILE = "study.journal"
"""Name of the Optuna journal in a sweep's folder."""


def distribution(domain: Domain) -> BaseDistribution:
    """Optuna's word for a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    return FloatDistribution(domain.low, domain.high, log=isinstance(domain, LogUniform))


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """The RDB at ``url``, or the journal file where there is no URL."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url:
        try:
            return RDBStorage(url)
        except (ImportError, SQLAlchemyError, StorageInternalError) as error:
            raise ConfigError(
                f"the study storage cannot be opened: {type(error).__name__}",
                "check DRMN_STUDY_STORAGE, its server and that its driver is installed",
            ) from error
    journal.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(journal)))


def open_study(request: SweepRequest, storage: BaseStorage) -> optuna.Study:
    """The sweep's own study, begun or taken up; its first trial tries the preset's own values."""
    study = optuna.create_study(
        study_name=request.key,
        storage=storage,
        direction="maximize",
        sampler=_sampler(request, 0),
        load_if_exists=True,
    )
    if request.paper_values and not study.get_trials(deepcopy=False):
        study.enqueue_trial(request.paper_values)
    return study


def trial_label(number: int) -> str:
    """The sweep's name of Optuna's trial ``number``: sorts as text."""
    return f"{number:04d}"


def running_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """What no driver has told the end of."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


class OptunaSearcher(Searcher):  # type: ignore[misc, unused-ignore]
    """Suggests configurations until the request is met; reports each trial's fate to the study.

    A suggestion is ``{"trial": "0007", "overrides": {path: value}, "checkpoints": [...]}``, the
    trial's name being Optuna's number.

    Args:
        study: of the sweep.
        request: gives space, objective and number of trials.
        unfinished: trials of a dead driver, by name, with their checkpoints: suggested first.
    """

    def __init__(
        self,
        study: optuna.Study,
        request: SweepRequest,
        unfinished: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(metric=request.objective, mode="max")
        self._study = study
        self._request = request
        self._distributions = {path: distribution(d) for path, d in request.space.items()}
        self._unfinished = {name: list(uris) for name, uris in (unfinished or {}).items()}
        self._running: dict[str, optuna.Trial] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The next configuration, or FINISHED once as many as requested were asked."""
        checkpoints: list[str] = []
        if self._unfinished:
            name = min(self._unfinished)
            checkpoints = self._unfinished.pop(name)
            trial = self._taken_up(name)
        elif self._all_asked():
            return str(Searcher.FINISHED)
        else:
            trial = self._asked()
        self._running[trial_id] = trial
        return {
            TRIAL: trial_label(trial.number),
            OVERRIDES: trial.params,
            CHECKPOINTS: checkpoints,
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """One epoch: an intermediate value, told once also where a resumed trial repeats it."""
        trial = self._running[trial_id]
        known = self._study.get_trials(deepcopy=False)[trial.number].intermediate_values
        if result[EPOCH] not in known:
            trial.report(result[self.metric], step=result[EPOCH])

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The end: FAIL after an error, PRUNED before the last epoch, else COMPLETE."""
        if error or not result:
            self._study.tell(self._running.pop(trial_id), state=TrialState.FAIL)
            return
        self.on_trial_result(trial_id, result)
        trial = self._running.pop(trial_id)
        if result[EPOCH] < self._request.config.training.epochs:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, result[self.metric])

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher: connections stay behind, the storage is the state."""
        live = ("_study", "_running", "_request")
        return {key: value for key, value in self.__dict__.items() if key not in live}

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study's own storage is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study's own storage is the state."""

    def _asked(self) -> optuna.Trial:
        """A new trial; what is drawn depends on its number and the history, not on restarts."""
        number = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = _sampler(self._request, number)
        return self._study.ask(self._distributions)

    def _taken_up(self, name: str) -> optuna.Trial:
        frozen = self._study.get_trials(deepcopy=False)[int(name)]
        return optuna.Trial(self._study, frozen._trial_id)

    def _all_asked(self) -> bool:
        trials = self._study.get_trials(deepcopy=False)
        waiting = any(trial.state == TrialState.WAITING for trial in trials)
        return len(trials) >= self._request.num_trials and not waiting


def _sampler(request: SweepRequest, number: int) -> optuna.samplers.BaseSampler:
    """TPE, aware of trials that still run, which samples at random first.

    The random phase is a quarter of the trials, from 4 to TPE's usual 10. A sampler is made anew
    for each trial, seeded by the trial's number: a resumed sweep does not repeat its draws.
    """
    return optuna.samplers.TPESampler(
        seed=derive_seed(request.seed, "suggestion", number) % 2**32,
        multivariate=True,
        constant_liar=True,
        n_startup_trials=min(10, max(4, request.num_trials // 4)),
    )
