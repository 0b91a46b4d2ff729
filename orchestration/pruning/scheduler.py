"""Tune's adapter: lets Ray Tune act on a pruning rule and on the sweep's brake."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from drmn.names import EPOCH
from orchestration.events import trial_name
from orchestration.pruning.journal import Journal
from orchestration.pruning.moving import Moves
from orchestration.retrying import LossTolerantScheduler
from orchestration.stopping.brake import Brake


class RuleScheduler(LossTolerantScheduler):
    """Stops the trials that the rule behind ``journal`` stops, and holds all once braked.

    Args:
        journal: of the sweep.
        metric: what trials are judged by.
        brake: once pulled, trials are held up after their running epochs, and none is begun.
        moves: of a population; None where trials have nothing of each other.
        is_minimised: whether lower is better.
    """

    def __init__(
        self,
        journal: Journal,
        metric: str,
        brake: Brake,
        *,
        is_minimised: bool = False,
        moves: Moves | None = None,
    ) -> None:
        super().__init__()
        self._journal = journal
        self._metric = metric
        self._brake = brake
        self._moves = moves
        self._sign = -1.0 if is_minimised else 1.0
        self._added: deque[Trial] = deque()
        """In Tune's order; those before the first that waits to begin are dropped."""

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Tune's hook; the objective was given at construction."""
        return metric in (None, self._metric) and mode in (None, "min" if self._sign < 0 else "max")

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Tune's hook, also when a trial is to be begun again."""
        super().on_trial_add(tune_controller, trial)
        self._added.append(trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Tune's hook, many times a second: the next trial to begin; none once braked."""
        if not self._brake.is_pulled:
            return self._next(tune_controller)
        for trial in list(tune_controller.get_trials()):
            if trial.status in (Trial.PENDING, Trial.PAUSED):
                self._brake.held.add(trial_name(trial))
                tune_controller.stop_trial(trial)
        return None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Tune's hook: STOP, CONTINUE or, to be moved, PAUSE after an epoch."""
        if not self._goes_on(trial, result):
            return str(TrialScheduler.STOP)
        if not self._brake.is_pulled:
            is_due = self._moves and self._moves.is_due(trial_name(trial), result[EPOCH])
            return str(TrialScheduler.PAUSE if is_due else TrialScheduler.CONTINUE)
        self._brake.held.add(trial_name(trial))
        return str(TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Tune's hook: a trial that ended by itself leaves its last value."""
        self._goes_on(trial, result)

    def _next(self, tune_controller: Any) -> Trial | None:
        """What waits to begin; without a population nothing is ever paused.

        Tune asks before every event, and of thousands of trials few wait.
        """
        while self._added and self._added[0].status != Trial.PENDING:
            self._added.popleft()
        if self._added:
            return self._added[0]
        return self._moved(self._moves, tune_controller.get_trials()) if self._moves else None

    def _moved(self, moves: Moves, trials: Sequence[Trial]) -> Trial | None:
        """Of a population: what was moved and waits to go on; else what can be moved now."""
        for trial in trials:
            if trial.status == Trial.PENDING:
                return trial
        for trial in trials:
            if trial.status == Trial.PAUSED and moves.carry_out(trial, trials):
                return trial
        return None

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its scheduler; the journal is the state."""
        return {}

    def _goes_on(self, trial: Trial, result: dict[str, Any]) -> bool:
        value = self._sign * result[self._metric]
        return self._journal.goes_on(trial_name(trial), result[EPOCH], value)
