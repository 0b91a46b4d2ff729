"""Trials to MLflow: one run each, nested in the sweep's; every call is a line on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drmn.config import Config
from drmn.config_tree import Scalar
from orchestration.events import Change, Fate
from orchestration.tracking import DirectTracker, Status, Tag, Tracker

_LOGGED_PREFIXES = ("val/", "loss/", "time/", "cost/")
FATE_STATUS = {
    Fate.COMPLETE: Status.FINISHED,
    Fate.PRUNED: Status.PRUNED,
    Fate.FAILED: Status.FAILED,
    Fate.STOPPED: Status.STOPPED,
}


@dataclass(frozen=True, kw_only=True)
class SweepRun:
    """The parent run and what its children inherit from it."""

    run_id: str
    """What its tracker calls it."""
    sweep: str
    tags: Mapping[str, str]
    config: Config


def open_trial_run(
    tracker: Tracker | DirectTracker, parent: SweepRun, trial: str, overrides: Mapping[str, Scalar]
) -> str:
    """What the tracker calls a trial's run, which is RUNNING after and has its parameters."""
    config = parent.config.with_overrides(overrides)
    tags = {
        **parent.tags,
        Tag.KIND: "trial",
        Tag.CONFIG_HASH: config.hash(),
        Tag.SEED: str(config.training.seed),
    }
    run_id = tracker.open_run(f"{parent.sweep}/{trial}", f"trial {trial}", tags, parent.run_id)
    tracker.log_params(run_id, config.flat())
    return run_id


def logged_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Of an epoch's metrics, those that MLflow gets."""
    return {k: float(v) for k, v in metrics.items() if k.startswith(_LOGGED_PREFIXES)}


class TrialLogger:
    """One MLflow child run per trial: params at its start, metrics per epoch, status at its end."""

    def __init__(self, tracker: Tracker, parent: SweepRun) -> None:
        self._tracker = tracker
        self._parent = parent

    def started(self, trial: str, overrides: Mapping[str, Scalar]) -> None:
        """See TrialObserver."""
        open_trial_run(self._tracker, self._parent, trial, overrides)

    def epoch_ended(self, trial: str, epoch: int, metrics: Mapping[str, Any]) -> None:
        """See TrialObserver."""
        self._tracker.log_metrics(self._key(trial), logged_metrics(metrics), epoch)

    def changed(self, trial: str, change: Change) -> None:
        """See TrialObserver; a run's parameters stay those it began with, tags tell the rest."""
        tags = {
            f"{Tag.CHANGE}.{change.epoch}": f"from trial {change.donor}",
            Tag.SCHEDULE: str(change.overrides["loss.schedule"]),
        }
        self._tracker.log_tags(self._key(trial), tags)

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        """See TrialObserver."""
        if reason:
            tag = Tag.STOPPED if fate is Fate.STOPPED else Tag.FAILURE
            self._tracker.log_tags(self._key(trial), {tag: reason[:500]})
        self._tracker.close_run(self._key(trial), FATE_STATUS[fate])

    def _key(self, trial: str) -> str:
        return f"{self._parent.sweep}/{trial}"
