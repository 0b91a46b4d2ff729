"""Optuna through Ray Tune, rightly: ask and tell on a study of the sweep's own.

Ray's OptunaSearch tells Optuna that a pruned trial is COMPLETE with its last rung's value, and
TPE then takes a score after two epochs for a final one. Here every epoch is reported as an
intermediate value and a trial that stops early is told PRUNED.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from ray.tune.search import Searcher

from drmn.names import EPOCH
from orchestration.events import OVERRIDES, TRIAL
from search_spaces.domain import Choice, Domain, LogUniform, SearchSpace


def distribution(domain: Domain) -> BaseDistribution:
    """Optuna's word for a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    return FloatDistribution(domain.low, domain.high, log=isinstance(domain, LogUniform))


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """The RDB at ``url``, or the journal file where there is no URL."""
    if url:
        return RDBStorage(url)
    journal.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(journal)))


def create_study(name: str, storage: BaseStorage, *, seed: int, num_trials: int) -> optuna.Study:
    """A study that belongs to one sweep alone; TPE, aware of trials that still run.

    TPE samples at random first: for a quarter of the trials, from 4 to its usual 10.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=seed,
        multivariate=True,
        constant_liar=True,
        n_startup_trials=min(10, max(4, num_trials // 4)),
    )
    return optuna.create_study(
        study_name=name, storage=storage, sampler=sampler, direction="maximize"
    )


class OptunaSearcher(Searcher):
    """Suggests ``num_trials`` configurations and reports each trial's fate to the study.

    A suggestion is ``{"trial": "0007", "overrides": {path: value}}``, the number being Optuna's.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: SearchSpace,
        *,
        num_trials: int,
        num_epochs: int,
        metric: str,
        first: Mapping[str, Any],
    ) -> None:
        super().__init__(metric=metric, mode="max")
        self._study = study
        self._distributions = {path: distribution(domain) for path, domain in space.items()}
        self._num_trials = num_trials
        self._num_epochs = num_epochs
        self._running: dict[str, optuna.Trial] = {}
        if first:
            study.enqueue_trial(dict(first), skip_if_exists=True)

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The next configuration, or FINISHED once ``num_trials`` were asked."""
        if len(self._study.get_trials(deepcopy=False)) >= self._num_trials and not self._waiting():
            return str(Searcher.FINISHED)
        trial = self._study.ask(self._distributions)
        self._running[trial_id] = trial
        return {TRIAL: f"{trial.number:04d}", OVERRIDES: trial.params}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """One epoch: an intermediate value."""
        self._running[trial_id].report(result[self.metric], step=result[EPOCH])

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """The end: FAIL after an error, PRUNED before the last epoch, else COMPLETE."""
        trial = self._running.pop(trial_id)
        if error or not result:
            self._study.tell(trial, state=TrialState.FAIL)
            return
        trial.report(result[self.metric], step=result[EPOCH])
        if result[EPOCH] < self._num_epochs:
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, result[self.metric])

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher: connections stay behind, the storage is the state."""
        live = ("_study", "_running")
        return {key: value for key, value in self.__dict__.items() if key not in live}

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study's own storage is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study's own storage is the state."""

    def _waiting(self) -> bool:
        waiting = (TrialState.WAITING,)
        return bool(self._study.get_trials(deepcopy=False, states=waiting))
