"""Tune's adapter: lets Ray Tune act on a pruning rule."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from drmn.names import EPOCH
from orchestration.events import trial_name
from orchestration.pruning.journal import Journal


class RuleScheduler(FIFOScheduler):
    """Stops the trials that the rule behind ``journal`` stops.

    Args:
        journal: of the sweep.
        metric: what trials are judged by.
        is_minimised: whether lower is better.
    """

    def __init__(self, journal: Journal, metric: str, *, is_minimised: bool = False) -> None:
        super().__init__()
        self._journal = journal
        self._metric = metric
        self._sign = -1.0 if is_minimised else 1.0

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Tune's hook; the objective was given at construction."""
        return metric in (None, self._metric) and mode in (None, "min" if self._sign < 0 else "max")

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Tune's hook: STOP or CONTINUE after an epoch."""
        if self._goes_on(trial, result):
            return str(TrialScheduler.CONTINUE)
        return str(TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Tune's hook: a trial that ended by itself leaves its last value."""
        self._goes_on(trial, result)

    def _goes_on(self, trial: Trial, result: dict[str, Any]) -> bool:
        value = self._sign * result[self._metric]
        return self._journal.goes_on(trial_name(trial), result[EPOCH], value)
