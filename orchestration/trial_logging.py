"""Trials to MLflow: one run each, nested in the sweep's; every call is a line on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.names import OBJECTIVE
from orchestration.events import Change, Fate
from orchestration.ledger import TrialHistory
from orchestration.notes.of_sweeps import trial_note
from orchestration.provenance.load import SYSTEM
from orchestration.provenance.machine import MACHINE
from orchestration.provenance.tags import machine_tags
from orchestration.tracking import DataInput, DirectTracker, Status, Tag, Tracker

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
    data: DataInput | None = None
    """What the trials read; None where that was never logged."""
    name: str = ""
    """What a person calls the sweep; "" for its key."""
    objective: str = OBJECTIVE

    def key(self, trial: str) -> str:
        """The trial key of a trial's run."""
        return f"{self.sweep}/{trial}"

    def note(self, trial: str, history: TrialHistory) -> str:
        """What a trial's run says of itself."""
        return trial_note(self.name or self.sweep, self.objective, trial, history)


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
    run_id = tracker.open_run(parent.key(trial), f"trial {trial}", tags, parent.run_id)
    if parent.data is not None:
        tracker.log_dataset(run_id, parent.data)
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
        self._histories: dict[str, TrialHistory] = {}
        """Of the trials that this process was told of."""
        self._machines: dict[str, Mapping[str, str]] = {}

    def started(self, trial: str, overrides: Mapping[str, Scalar]) -> None:
        """See TrialObserver."""
        new = TrialHistory(overrides=dict(overrides))
        self._histories.setdefault(trial, new).go_on()
        open_trial_run(self._tracker, self._parent, trial, overrides)
        self._describe(trial)

    def epoch_ended(self, trial: str, epoch: int, metrics: Mapping[str, Any]) -> None:
        """See TrialObserver; a trial that goes on elsewhere is tagged with its new machine."""
        logged = logged_metrics(metrics)
        self._histories[trial].epochs[epoch] = logged
        key, found = self._parent.key(trial), metrics.get(MACHINE, {})
        self._tracker.log_metrics(key, {**logged, **metrics.get(SYSTEM, {})}, epoch)
        if found and found != self._machines.get(trial):
            self._machines[trial] = found
            self._tracker.log_tags(key, machine_tags(found))

    def changed(self, trial: str, change: Change) -> None:
        """See TrialObserver; a run's parameters stay those it began with, tags tell the rest."""
        tags = {
            f"{Tag.CHANGE}.{change.epoch}": f"from trial {change.donor}",
            Tag.SCHEDULE: str(change.overrides["loss.schedule"]),
        }
        self._tracker.log_tags(self._parent.key(trial), tags)

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        """See TrialObserver."""
        key, history = self._parent.key(trial), self._histories[trial]
        if reason:
            tag = Tag.STOPPED if fate is Fate.STOPPED else Tag.FAILURE
            self._tracker.log_tags(key, {tag: reason[:500]})
        history.fate, history.reason = fate, reason
        self._describe(trial)
        self._tracker.close_run(key, FATE_STATUS[fate])
        if fate.is_final:  # a long sweep's driver would keep every epoch of every trial
            del self._histories[trial]
            self._machines.pop(trial, None)

    def _describe(self, trial: str) -> None:
        note = self._parent.note(trial, self._histories[trial])
        self._tracker.describe(self._parent.key(trial), note)
