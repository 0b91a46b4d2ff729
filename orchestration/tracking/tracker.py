"""Runs, as the rest of the project logs them: a call is a line on disk, none waits for MLflow.

A run is named by its trial key (the tag ``drmn.trial_key``), so that a restarted driver logs to
the same runs; what it logs again is not doubled. Steps of one metric of a run must rise.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from drmn.config_tree import Scalar
from orchestration.settings import Settings
from orchestration.tracking.delivery import MAX_ENTRIES, MAX_PARAMS, MAX_TAGS
from orchestration.tracking.lane import Pace
from orchestration.tracking.names import DataInput, MlflowTag, Status
from orchestration.tracking.outbox import REPORTS, SPOOLS, Outbox, Outcome, is_held
from orchestration.tracking.spool import Spool

_POLL_S = 0.05


class Tracker:
    """One MLflow experiment, fed from the spool of one sweep or study.

    Args:
        owner: the sweep's or study's folder; the spool lies below it.
        spools: SPOOLS, or REPORTS beside a tracker that is at work.

    Raises:
        TrackingError: another process writes to the same spool; MLflow refuses the settings; or
            the disk is full. An MLflow that does not answer is no error.
    """

    def __init__(
        self,
        settings: Settings,
        experiment: str,
        owner: Path,
        pace: Pace | None = None,
        spools: str = SPOOLS,
    ) -> None:
        self._wait_s = settings.tracking_wait_s
        self._outbox = Outbox(settings, experiment, owner / spools / experiment, pace)
        self._outcome: Outcome | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def open_run(
        self,
        key: str,
        name: str,
        tags: Mapping[str, str],
        parent: str | None = None,
        ago_s: float = 0.0,
    ) -> str:
        """The run with this key, which is RUNNING after; the key, for the other methods.

        ``parent`` is the key of the run it is nested in; a run that is new began ``ago_s`` before.
        """
        opened = {"name": name, "tags": dict(tags), "parent": parent or ""}
        self._put("open", key, {**opened, "time_ms": int((time.time() - ago_s) * 1000)})
        return key

    def log_params(self, run: str, params: Mapping[str, Scalar]) -> None:
        """Flattened configuration by dotted path."""
        for values in _chunks({key: str(value) for key, value in params.items()}, MAX_PARAMS):
            self._put("params", run, {"values": values})

    def log_metrics(
        self, run: str, metrics: Mapping[str, float], step: int, time_ms: int | None = None
    ) -> None:
        """``step`` is the trainer's epoch; ``time_ms`` since 1970, default: now."""
        for values in _chunks({k: float(v) for k, v in metrics.items()}, MAX_ENTRIES):
            event = {"values": values, "step": step}
            self._put("metrics", run, event if time_ms is None else {**event, "time_ms": time_ms})

    def show_metrics(self, run: str, metrics: Mapping[str, float], step: int) -> None:
        """Have the run show these values, of a step it does not yet have if it shows others."""
        values = {key: float(value) for key, value in metrics.items()}
        self._put("metrics", run, {"values": values, "step": step, "shown": True})

    def log_tags(self, run: str, tags: Mapping[str, str]) -> None:
        """Tags; a later value replaces an earlier one."""
        for values in _chunks(dict(tags), MAX_TAGS):
            self._put("tags", run, {"values": values})

    def log_dataset(self, run: str, data: DataInput) -> None:
        """A data set as the run's input."""
        self._put("dataset", run, {"fields": dict(data.fields), "context": data.context})

    def log_file(self, run: str, path: Path, folder: str | None = None) -> None:
        """``path`` as an artifact below ``folder``; it may be deleted after this call."""
        self._outbox.put_file(run, path, folder)

    def has_files(self, run: str, folder: str) -> bool:
        """Whether a file below ``folder`` was ever logged to the run from this spool."""
        return self._outbox.has_files(run, folder)

    def log_text(self, run: str, text: str, name: str) -> None:
        """A small text artifact; ``name`` may contain folders."""
        with tempfile.TemporaryDirectory(prefix="drmn-text-") as folder:
            path = Path(folder) / Path(name).name
            path.write_text(text)
            below = str(Path(name).parent)
            self.log_file(run, path, None if below == "." else below)

    def describe(self, run: str, markdown: str) -> None:
        """The run's description, as the UI shows it."""
        self.log_tags(run, {MlflowTag.DESCRIPTION: markdown})

    def close_run(self, run: str, status: Status) -> None:
        """Set the final status; what was logged before is on the disk, also after a power cut."""
        self._put("close", run, {"status": status.value}, durable=True)

    def place(self, run: str, wait_s: float) -> tuple[str, str]:
        """MLflow's ids of the experiment and of a run that was opened.

        "" where MLflow has not made it within ``wait_s`` seconds.
        """
        deadline = time.monotonic() + wait_s
        while not (found := self._outbox.place(run))[1] and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return found

    def finish(self, wait_s: float | None = None) -> Outcome:
        """Wait until MLflow has everything, at most so long; default: the settings' time.

        Nothing can be logged after; asked again, it answers the same.
        """
        if self._outcome is None:
            self._outcome = self._outbox.finish(self._wait_s if wait_s is None else wait_s)
        return self._outcome

    def _put(
        self, kind: str, run: str, content: Mapping[str, Any], *, durable: bool = False
    ) -> None:
        event = {"kind": kind, "run": run, "time_ms": int(time.time() * 1000), **content}
        self._outbox.put(event, durable=durable)


def is_spooling(owner: Path) -> bool:
    """Whether a process writes to a spool below ``owner``."""
    return any(is_held(folder) for folder in _folders(owner))


def num_spooled(owner: Path) -> int:
    """Events and files that an earlier process, which has ended, left in those spools."""
    files = [path for folder in _folders(owner) for path in folder.glob("*.offset")]
    spools = [Spool(path.parent, path.stem) for path in files]
    for spool in spools:
        spool.close()
    return sum(spool.num_left for spool in spools)


def send_spooled(settings: Settings, owner: Path, wait_s: float | None = None) -> list[Outcome]:
    """Send what an earlier process left in the spools below ``owner``.

    Raises:
        TrackingError: that process is still at work, or MLflow lets nobody in.
    """
    time_s = settings.tracking_wait_s if wait_s is None else wait_s
    return [Outbox(settings, each.name, each).finish(time_s) for each in _folders(owner)]


def _folders(owner: Path) -> list[Path]:
    """Of all spools below ``owner``; a study's own before those of its reports."""
    names = (SPOOLS, REPORTS)
    return [p.parent for name in names for p in sorted((owner / name).glob("*/events.jsonl"))]


def _chunks(values: dict[str, Any], size: int) -> Iterator[dict[str, Any]]:
    items = list(values.items())
    for start in range(0, len(items), size):
        yield dict(items[start : start + size])
