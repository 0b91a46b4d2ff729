"""Two spools and two threads for one owner: small events, and files, which may take long."""

import json
import logging
import os
import shutil
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from drmn.atomic import append_line
from orchestration.settings import Settings
from orchestration.tracking.delivery import Delivery, Event, Upload
from orchestration.tracking.lane import Lane, Pace
from orchestration.tracking.names import AccessError, OutageError, TrackingError
from orchestration.tracking.server import Server
from orchestration.tracking.spool import Spool

logger = logging.getLogger(__name__)

SPOOLS = "mlflow"
"""Below a sweep's or a study's folder; holds one folder per MLflow experiment."""
REPORTS = "mlflow-reports"
"""The same beside it, for who logs to a study's runs while the study is at work."""
_FILES = "files"
_EVENTS = "events"
_GIVEN = "files.given"
_LOCK = "lock"
_STOP_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What had happened to the events when the time to wait was over."""

    experiment_id: str
    """"" where MLflow was never reached."""
    num_left: int
    bytes_left: int
    num_refused: int
    trouble: str
    """Why the last attempt failed."""
    folder: Path

    @property
    def message(self) -> str:
        """What is amiss and what to do about it; "" where MLflow has everything."""
        parts = []
        if self.num_left:
            name = self.folder.parent.parent.name
            parts.append(
                f"{self.num_left} events for MLflow ({self.bytes_left / 1000:.0f} kB) wait in "
                f"{self.folder} ({self.trouble or 'the time to wait was over'}): "
                f"`drmn runs reconcile {name}` sends them"
            )
        if self.num_refused:
            place = self.folder / "refused.jsonl"
            parts.append(f"MLflow refused {self.num_refused} events, listed in {place}")
        return "; ".join(parts)


class Outbox:
    """Whatever is put in reaches MLflow, in this process's life or in a later one's.

    Args:
        folder: the spools'; one process at a time may hold it.
        pace: of both threads.

    Raises:
        TrackingError: another process holds the folder, or MLflow lets nobody in.
    """

    def __init__(
        self, settings: Settings, experiment: str, folder: Path, pace: Pace | None = None
    ) -> None:
        pace = pace or Pace()
        self._folder = folder
        self._lock = _locked(folder)
        self._refusals = threading.Lock()
        self._events, self._files = Spool(folder, _EVENTS), Spool(folder, _FILES)
        self._discard_copies()
        self._server = Server(settings, experiment)
        try:
            self._check()
        except TrackingError:
            self._release()
            raise
        copies = folder / _FILES
        upload = Upload(self._server, copies, self._refuse, lambda: not self._events.num_left)
        self._delivery = Delivery(self._server, self._refuse)
        self._lanes = [
            Lane(self._events, self._delivery, pace, "mlflow-events"),
            Lane(self._files, upload, pace, "mlflow-files"),
        ]

    @property
    def num_left(self) -> int:
        """Events and files that MLflow does not have yet."""
        return self._events.num_left + self._files.num_left

    def place(self, run: str) -> tuple[str, str]:
        """MLflow's ids of the experiment and of a run; "" for what is not there yet."""
        return self._server.experiment_id, self._delivery.run_id(run)

    def put(self, event: Event, *, durable: bool = False) -> None:
        """An event; see Spool.append."""
        self._events.append(event, durable=durable)

    def put_file(self, run: str, path: Path, folder: str | None) -> None:
        """A file of ``run``; it may be deleted or replaced after, but not changed in place."""
        name = f"{uuid.uuid4().hex}/{path.name}"
        try:
            _copy(path, self._folder / _FILES / name)
            event = {"kind": "file", "run": run, "copy": name, "folder": folder}
            self._files.append(event, durable=True)
            append_line(self._folder / _GIVEN, json.dumps([run, folder]))
        except OSError as error:
            raise TrackingError(
                f"{path.name} cannot be kept for MLflow in {self._folder} ({error})",
                "make room on its disk, then resume: what was written before is kept",
            ) from error

    def has_files(self, run: str, folder: str) -> bool:
        """Whether a file of ``run`` below ``folder`` was ever put in."""
        given = self._folder / _GIVEN
        return given.exists() and json.dumps([run, folder]) in given.read_text().splitlines()

    def finish(self, wait_s: float) -> Outcome:
        """Wait at most so long until MLflow has everything; then stop, keeping what is left."""
        for lane in self._lanes:
            lane.hurry()
        deadline = time.monotonic() + wait_s
        for spool in (self._events, self._files):
            spool.wait_empty(max(0.0, deadline - time.monotonic()))
        has_ended = [lane.stop(_STOP_S) for lane in self._lanes]
        outcome = self._outcome()
        if all(has_ended):
            self._release()
        return outcome

    def _outcome(self) -> Outcome:
        refused = self._folder / "refused.jsonl"
        troubles = [lane.trouble for lane in self._lanes if lane.trouble]
        return Outcome(
            experiment_id=self._server.experiment_id,
            num_left=self.num_left,
            bytes_left=self._events.bytes_left + self._files.bytes_left,
            num_refused=refused.read_bytes().count(b"\n") if refused.exists() else 0,
            trouble=troubles[0] if troubles else "",
            folder=self._folder,
        )

    def _check(self) -> None:
        """An outage is waited out later; a mistake in the settings is told now."""
        try:
            self._server.connect()
        except AccessError:
            raise
        except OutageError as error:
            logger.warning("%s; events are kept in %s until it does", error.message, self._folder)

    def _refuse(self, event: Event, reason: str) -> None:
        logger.warning("%s (%s of %s)", reason, event.get("kind"), event.get("run"))
        with self._refusals:
            line = json.dumps({"reason": reason, "event": event})
            append_line(self._folder / "refused.jsonl", line)

    def _discard_copies(self) -> None:
        """Those of files that were uploaded, or never put in, by a process that died over it."""
        waiting = self._files.read(self._files.bytes_left).events if self._files.num_left else []
        known = {str(event.get("copy", "")).partition("/")[0] for event in waiting}
        for copy in (self._folder / _FILES).glob("*"):
            if copy.name not in known:
                shutil.rmtree(copy, ignore_errors=True)

    def _release(self) -> None:
        self._events.close()
        self._files.close()
        self._lock.release()


def _copy(path: Path, copy: Path) -> None:
    """A second name of the same file where the file system can; else its bytes."""
    copy.parent.mkdir(parents=True)
    try:
        os.link(path, copy)
    except OSError:
        shutil.copyfile(path, copy)


def is_held(folder: Path) -> bool:
    """Whether a process writes to the spools in ``folder``."""
    lock = FileLock(folder / _LOCK)
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


def _locked(folder: Path) -> FileLock:
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise TrackingError(
            f"another process writes to {folder}",
            "it sends what is there itself; wait until it has ended",
        ) from error
    return lock
