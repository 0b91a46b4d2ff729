"""A sweep's trials one after the other in this process: Ray Tune's part, without Ray.

Searcher, scheduler and callbacks are the product's own and are called in Tune's order; a trial is
no training but a function from its name and epoch to the objective's value.
"""

from collections.abc import Callable
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from drmn.names import EPOCH
from orchestration.events import TRIAL
from orchestration.searcher.asking import OptunaSearcher

Values = Callable[[str, int], float]


class Controller:
    """Of Tune's controller, what schedulers use."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.stopped: list[Trial] = []

    def get_trials(self) -> list[Trial]:
        return self.trials

    def stop_trial(self, trial: Trial) -> None:
        self.stopped.append(trial)


class InProcessTrials:
    """Stands for :func:`orchestration.trials.run_trials`; ``seen`` holds what that was given.

    Args:
        value: of the objective.
        killed_at: before this (trial, epoch) ``kill`` is called, which may raise.
        kill: what happens there.
    """

    def __init__(
        self,
        value: Values,
        killed_at: tuple[str, int] | None = None,
        kill: Callable[["InProcessTrials"], None] = lambda _: None,
    ) -> None:
        self.seen: dict[str, Any] = {}
        self.given: tuple[Any, ...] = ()
        self.suggested: list[dict[str, Any]] = []
        self.controller = Controller()
        self._value, self._killed_at, self._kill = value, killed_at, kill

    def __call__(self, request: Any, settings: Any, context: Any, **seen: Any) -> None:
        self.given, self.seen = (request, settings, context), seen
        searcher = OptunaSearcher(seen["study"], request, seen["unfinished"], seen["changed"])
        for number in range(100):
            found = None if seen["brake"].is_pulled else searcher.suggest(f"t{number}")
            if not isinstance(found, dict):
                return
            self.suggested.append(found)
            self._run(request, searcher, f"t{number}", found)

    def _run(
        self, request: Any, searcher: OptunaSearcher, trial_id: str, found: dict[str, Any]
    ) -> None:
        scheduler, events = self.seen["scheduler"], self.seen["events"]
        trial = Trial("Pretended", config=found, stub=True, trial_id=trial_id)
        self.controller.trials.append(trial)
        scheduler.on_trial_add(self.controller, trial)
        events.on_trial_start(0, [], trial)
        name, result = str(found[TRIAL]), {}
        for epoch in range(1, request.config.training.epochs + 1):
            if (name, epoch) == self._killed_at:
                self._kill(self)
            values = {each: self._value(name, epoch) for each in request.objectives}
            result = {EPOCH: epoch, **values}
            trial.run_metadata.last_result = result
            searcher.on_trial_result(trial_id, result)
            word = scheduler.on_trial_result(self.controller, trial, result)
            events.on_trial_result(0, [], trial, result)
            if word == TrialScheduler.STOP:
                break
        scheduler.on_trial_complete(self.controller, trial, result)
        if name not in self.seen["brake"].held:
            searcher.on_trial_complete(trial_id, result)
        events.on_trial_complete(0, [], trial)
