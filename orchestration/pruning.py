"""ASHA that survives: asynchronous successive halving whose rungs are kept on disk.

Ray's own scheduler counts reports, which restart at 1 in a resumed trial, and forgets its rungs
when a sweep is restored, so that a resumed sweep prunes less than an undisturbed one. Here the
rungs count the trainer's epochs, and every decision is written down before it is acted upon.

Source: Li et al., A System for Massively Parallel Hyperparameter Tuning, 2020 (stopping variant).
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from drmn.atomic import replacing
from drmn.errors import DataError
from drmn.names import EPOCH
from orchestration.events import trial_name


@dataclass(kw_only=True)
class SuccessiveHalving:
    """The decisions alone: no clock, no files, no Ray. Higher values are better.

    A trial that reaches rung r (epochs ``grace_period * reduction_factor^k``) goes on if its
    value is within the best ``1/reduction_factor`` of all values seen at r so far. A value is
    recorded once per trial and rung, so replaying a report changes nothing.
    """

    grace_period: int
    reduction_factor: int
    max_epochs: int
    rungs: dict[int, dict[str, float]] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    """Trials told to stop before their last epoch, with the rung that stopped them."""

    def milestones(self) -> list[int]:
        """The rungs' epochs, ascending, all below ``max_epochs``."""
        epochs = []
        epoch = self.grace_period
        while epoch < self.max_epochs:
            epochs.append(epoch)
            epoch *= self.reduction_factor
        return epochs

    def goes_on(self, trial: str, epoch: int, value: float) -> bool:
        """Record ``value`` where ``epoch`` is a rung; False if the trial is to be stopped."""
        if epoch >= self.max_epochs or trial in self.stopped:
            return False
        rung = self.rungs.setdefault(epoch, {}) if epoch in self.milestones() else None
        if rung is None or trial in rung:
            return True
        rung[trial] = value
        if value < self._cutoff(list(rung.values())):
            self.stopped[trial] = epoch
        return trial not in self.stopped

    def _cutoff(self, values: list[float]) -> float:
        """The worst value that still belongs to the best 1/reduction_factor (at least one)."""
        num_promoted = max(1, len(values) // self.reduction_factor)
        return sorted(values, reverse=True)[num_promoted - 1]


class AshaScheduler(FIFOScheduler):
    """Lets Ray Tune act on :class:`SuccessiveHalving`, whose rungs live in ``state_file``."""

    def __init__(self, rule: SuccessiveHalving, metric: str, state_file: Path) -> None:
        super().__init__()
        self.rule = rule
        self._metric = metric
        self._state_file = state_file
        if state_file.exists():
            rule.rungs, rule.stopped = _read_state(state_file)

    def set_search_properties(self, metric: str | None, mode: str | None, **spec: Any) -> bool:
        """Tune's hook; the objective was given at construction and is maximised."""
        return metric in (None, self._metric) and mode in (None, "max")

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Tune's hook: STOP or CONTINUE after an epoch."""
        if self._goes_on(trial, result):
            return str(TrialScheduler.CONTINUE)
        return str(TrialScheduler.STOP)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Tune's hook: a trial that ended by itself leaves its last value in its rung."""
        self._goes_on(trial, result)

    def _goes_on(self, trial: Trial, result: dict[str, Any]) -> bool:
        num_values = _num_values(self.rule.rungs)
        verdict = self.rule.goes_on(trial_name(trial), result[EPOCH], result[self._metric])
        if _num_values(self.rule.rungs) > num_values:
            self._save()
        return verdict

    def _save(self) -> None:
        rungs = {str(epoch): values for epoch, values in self.rule.rungs.items()}
        with replacing(self._state_file) as temporary:
            temporary.write_text(json.dumps({"rungs": rungs, "stopped": self.rule.stopped}))


def _num_values(rungs: dict[int, dict[str, float]]) -> int:
    return sum(map(len, rungs.values()))


def _read_state(path: Path) -> tuple[dict[int, dict[str, float]], dict[str, int]]:
    try:
        raw = json.loads(path.read_text())
        rungs = {int(epoch): dict(values) for epoch, values in raw["rungs"].items()}
        return rungs, {trial: int(epoch) for trial, epoch in raw["stopped"].items()}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise DataError(
            f"{path}: not a table of ASHA rungs ({error!r})",
            "remove the file to forget the rungs",
        ) from error
