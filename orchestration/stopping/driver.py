"""Who drives a sweep: one process, known by host, process id and start time, under a lock."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from drmn.atomic import replacing
from drmn.errors import ConfigError, DrmnError
from drmn.reading import FAULTS

LOCK_FILE = "driver.lock"
DRIVER_FILE = "driver.json"
"""Their names in a sweep's folder; the lock is gone with its process, the file may be left."""
_POLL_S = 0.1
_GRACE_S = 2.0
_PID_LIMIT = 2**31


@dataclass(frozen=True, kw_only=True)
class Driver:
    """A process; ``started`` is its start in clock ticks since boot, "" where unknown."""

    host: str
    pid: int
    started: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@contextmanager
def driving(folder: Path, name: str) -> Iterator[None]:
    """Be the sweep's only driver for the time of a ``with``.

    Raises:
        ConfigError: another process drives it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConfigError(
            f"the sweep {name!r} is being run by {_recorded(folder) or 'another process'}",
            f"stop that with `drmn runs stop {name}`, or wait until it is done",
        ) from error
    try:
        _record(folder)
        yield
    finally:
        (folder / DRIVER_FILE).unlink(missing_ok=True)
        lock.release()


def driver_of(folder: Path) -> Driver | None:
    """The process that drives the sweep in ``folder``; None where none lives."""
    return _recorded(folder) if _is_locked(folder) else None


def stop_driver(folder: Path, name: str, *, now: bool, timeout_s: float) -> Driver | None:
    """Signal the sweep's driver and wait for its end; None where none lives.

    Raises:
        ConfigError: it runs on another host.
        DrmnError: it has not ended in ``timeout_s``.
    """
    driver = driver_of(folder)
    if driver is None:
        return None
    if driver.host != socket.gethostname():
        raise ConfigError(
            f"the sweep {name!r} is being run by {driver}, and this is {socket.gethostname()}",
            f"run `drmn runs stop {name}` there",
        )
    _signal(driver, signal.SIGTERM)
    if now:  # two different signals: two of a kind may be taken for one
        _signal(driver, signal.SIGINT)
    _await_end(folder, driver, timeout_s)
    return driver


def _record(folder: Path) -> None:
    driver = Driver(host=socket.gethostname(), pid=os.getpid(), started=_start_time(os.getpid()))
    with replacing(folder / DRIVER_FILE) as temporary:
        temporary.write_text(json.dumps(asdict(driver)) + "\n")


def _recorded(folder: Path) -> Driver | None:
    """What the lock's holder wrote, given a moment to write it."""
    deadline = time.monotonic() + _GRACE_S
    while time.monotonic() < deadline and _is_locked(folder):
        driver = _read(folder)
        if driver is not None and not _is_stale(driver):
            return driver
        time.sleep(_POLL_S)
    return None


def _read(folder: Path) -> Driver | None:
    """What is written there; None where it is no process: 0 and below are groups of them."""
    try:
        found = json.loads((folder / DRIVER_FILE).read_text())
        host, pid, started = str(found["host"]), int(found["pid"]), str(found["started"])
    except FAULTS:
        return None
    return Driver(host=host, pid=pid, started=started) if 1 < pid < _PID_LIMIT else None


def _is_stale(driver: Driver) -> bool:
    """Whether the record is of a process that is gone, its number perhaps another's by now."""
    return driver.host == socket.gethostname() and driver.started != _start_time(driver.pid)


def _is_locked(folder: Path) -> bool:
    if not (folder / LOCK_FILE).exists():
        return False
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _signal(driver: Driver, number: signal.Signals) -> None:
    if not _is_stale(driver):
        os.kill(driver.pid, number)


def _await_end(folder: Path, driver: Driver, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while _is_locked(folder):
        if time.monotonic() > deadline:
            raise DrmnError(
                f"{driver} was told to stop and has not ended in {timeout_s:g} s",
                "wait for its running epochs, or give --now",
            )
        time.sleep(_POLL_S)


def _start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat, which no later process of that number shares; "" elsewhere."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
