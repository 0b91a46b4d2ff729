"""Trials to MLflow without holding up the sweep: an observer that only fills a queue.

One thread empties the queue; a run is opened, filled and closed in the order things happened.
Epochs that end within a second or two of each other are written together: a transaction for each
of them would cost more than all else that MLflow does for a short trial.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.errors import DrmnError
from drmn.names import LOSS_TOTAL
from orchestration.events import Fate
from orchestration.tracking import Status, Tag, Tracker

logger = logging.getLogger(__name__)

_GATHER_S = 1.0
"""For so long epochs wait for others before they are written."""
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
    sweep: str
    tags: Mapping[str, str]
    config: Config


def open_trial_run(
    tracker: Tracker, parent: SweepRun, trial: str, overrides: Mapping[str, Scalar]
) -> str:
    """The id of a trial's run, which is RUNNING after and has its parameters."""
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
        self._overrides: dict[str, dict[str, Scalar]] = {}
        self._runs: dict[str, str] = {}
        self._logged: dict[str, int] = {}
        self._gathered: dict[str, dict[int, dict[str, float]]] = {}
        self._written_at = time.monotonic()
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._num_failed = 0
        self._is_drained = False
        self._thread = threading.Thread(target=self._drain, name="mlflow-writer", daemon=True)
        self._thread.start()

    def started(self, trial: str, overrides: Mapping[str, Scalar]) -> None:
        """See TrialObserver."""
        self._overrides[trial] = dict(overrides)
        self._jobs.put(lambda: self._open(trial))

    def epoch_ended(self, trial: str, epoch: int, metrics: Mapping[str, Any]) -> None:
        """See TrialObserver."""
        logged = logged_metrics(metrics)
        self._jobs.put(lambda: self._log_epoch(trial, epoch, logged))

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        """See TrialObserver."""
        self._jobs.put(lambda: self._close(trial, fate, reason))

    def finish(self, timeout_s: float = 120.0) -> str:
        """Wait until everything has been written; what is amiss, or "" where nothing is."""
        self._jobs.put(None)
        self._thread.join(timeout_s)
        if self._is_drained and not self._num_failed:
            return ""
        return f"MLflow refused {self._num_failed} writes and {self._jobs.qsize()} were not tried"

    def _run_id(self, trial: str) -> str:
        if trial not in self._runs:
            self._open(trial)
        return self._runs[trial]

    def _open(self, trial: str) -> None:
        run_id = open_trial_run(self._tracker, self._parent, trial, self._overrides[trial])
        self._logged[trial] = self._tracker.last_step(run_id, LOSS_TOTAL)
        self._runs[trial] = run_id

    def _log_epoch(self, trial: str, epoch: int, metrics: dict[str, float]) -> None:
        self._gathered.setdefault(trial, {})[epoch] = metrics
        if time.monotonic() - self._written_at >= _GATHER_S:
            self._write_gathered()

    def _write_gathered(self) -> None:
        self._written_at = time.monotonic()
        for trial in list(self._gathered):
            self._write(trial)

    def _write(self, trial: str) -> None:
        """The gathered epochs that the run does not have, in one batch."""
        run_id = self._run_id(trial)
        epochs = self._gathered.pop(trial, {})
        new = {epoch: epochs[epoch] for epoch in sorted(epochs) if epoch > self._logged[trial]}
        if new:
            self._tracker.log_epochs(run_id, new)
            self._logged[trial] = max(new)

    def _close(self, trial: str, fate: Fate, reason: str) -> None:
        self._write(trial)
        if reason:
            tag = Tag.STOPPED if fate is Fate.STOPPED else Tag.FAILURE
            self._tracker.log_tags(self._run_id(trial), {tag: reason[:500]})
        self._tracker.close_run(self._run_id(trial), FATE_STATUS[fate])

    def _drain(self) -> None:
        while (job := self._next_job()) is not None:
            self._try(job)
        self._try(self._write_gathered)
        self._is_drained = True

    def _next_job(self) -> Callable[[], None] | None:
        try:
            return self._jobs.get(timeout=_GATHER_S)
        except queue.Empty:
            return self._write_gathered

    def _try(self, job: Callable[[], None]) -> None:
        try:
            job()
        except DrmnError as error:
            logger.warning("%s", error)
            self._num_failed += 1
