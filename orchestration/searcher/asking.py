"""Optuna through Ray Tune, rightly: ask and tell on a study of the sweep's own.

Ray's OptunaSearch tells Optuna that a pruned trial is COMPLETE with its last rung's value, and
TPE then takes a score after two epochs for a final one. Here every epoch is reported as an
intermediate value and a trial that stops early is told PRUNED. What a dead driver left RUNNING is
taken up again rather than asked again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from ray.tune.search import Searcher

from drmn.config_tree import Scalar
from drmn.names import EPOCH
from orchestration.events import CHANGED, CHECKPOINTS, OVERRIDES, TRIAL
from orchestration.objective import direction
from orchestration.request import SweepRequest
from orchestration.searcher.planned import Plan
from orchestration.searcher.samplers import distribution, sampler
from orchestration.searcher.study import own_trials, report, tell_complete, trial_label


class OptunaSearcher(Searcher):  # type: ignore[misc, unused-ignore]
    """Suggests configurations until the request is met; reports each trial's fate to the study.

    A suggestion is ``{"trial": "0007", "overrides": {path: value}, "checkpoints": [...]}``, the
    trial's name being Optuna's number.

    Args:
        study: of the sweep.
        request: gives space, objective and number of trials.
        unfinished: trials of a dead driver, by name, with their checkpoints: suggested first.
        changed: what those go on with whose settings changed under way.
    """

    def __init__(
        self,
        study: optuna.Study,
        request: SweepRequest,
        unfinished: Mapping[str, Sequence[str]] | None = None,
        changed: Mapping[str, Mapping[str, Scalar]] | None = None,
    ) -> None:
        super().__init__(
            metric=request.objective, mode=direction(request.objective).removesuffix("imize")
        )
        self._study = study
        self._request = request
        self._distributions = {path: distribution(d) for path, d in request.space.items()}
        self._plan = Plan(request)
        self._unfinished = {name: list(uris) for name, uris in (unfinished or {}).items()}
        self._changed = dict(changed or {})
        self._running: dict[str, optuna.Trial] = {}
        trials = study.get_trials(deepcopy=False)
        self._num_waiting = sum(trial.state == TrialState.WAITING for trial in trials)
        """Enqueued by a dead driver and never asked; counted here once: a look at all trials for
        each new one would grow with the square of their number."""
        self._num_told = len(trials) - len(own_trials(study))
        self._num_begun = len(trials) - self._num_told - self._num_waiting

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The next configuration, or FINISHED once as many as requested were asked."""
        checkpoints: list[str] = []
        if self._unfinished:
            name = min(self._unfinished)
            checkpoints = self._unfinished.pop(name)
            trial = self._taken_up(name)
        elif self._num_begun >= self._request.num_trials:
            return str(Searcher.FINISHED)
        else:
            trial = self._asked()
        self._running[trial_id] = trial
        name = trial_label(trial.number)
        suggestion = {TRIAL: name, OVERRIDES: trial.params, CHECKPOINTS: checkpoints}
        if name in self._changed:
            suggestion[CHANGED] = dict(self._changed[name])
        return suggestion

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """One epoch: an intermediate value, told once also where a resumed trial repeats it."""
        trial = self._running[trial_id]
        frozen = trial.storage.get_trial(trial._trial_id)
        report(trial, frozen, self._request.objectives, {result[EPOCH]: result})

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
            tell_complete(self._study, trial, self._request.objectives, result)

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher: connections stay behind, the storage is the state."""
        live = ("_study", "_running", "_request", "_plan")
        return {key: value for key, value in self.__dict__.items() if key not in live}

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the study's own storage is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: the study's own storage is the state."""

    def _asked(self) -> optuna.Trial:
        """A new trial; what is drawn depends on its number and the history, not on restarts."""
        values = self._plan.values(self._num_begun)
        if values is not None and not self._num_waiting:
            self._study.enqueue_trial(dict(values))
        self._study.sampler = sampler(self._request, self._num_told + self._num_begun)
        trial = self._study.ask(self._distributions)
        self._num_waiting = max(0, self._num_waiting - 1)
        self._num_begun += 1
        return trial

    def _taken_up(self, name: str) -> optuna.Trial:
        frozen = self._study.get_trials(deepcopy=False)[int(name)]
        if frozen.params.keys() >= self._distributions.keys():
            return optuna.Trial(self._study, frozen._trial_id)
        return self._asked_to_the_end(frozen)

    def _asked_to_the_end(self, frozen: FrozenTrial) -> optuna.Trial:
        """A trial whose driver died after some of its values were drawn; the rest is as it was."""
        self._study.sampler = sampler(self._request, frozen.number)
        trial = optuna.Trial(self._study, frozen._trial_id)
        for path, each in self._distributions.items():
            if path in frozen.params:
                self._study.sampler.sample_independent(self._study, frozen, path, each)
            trial._suggest(path, each)
        return trial
