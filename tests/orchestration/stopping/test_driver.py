"""A sweep has one driver at a time, and what a dead one left is recognised."""

import json
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drmn.errors import ConfigError
from orchestration.stopping.driver import DRIVER_FILE, driver_of, driving, stop_driver


def _drive(folder: Path) -> None:
    with driving(folder, "s"):
        signal.pause()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[multiprocessing.process.BaseProcess]:
    """Another process that drives the sweep in ``tmp_path``."""
    process = multiprocessing.get_context("fork").Process(target=_drive, args=(tmp_path,))
    process.start()
    deadline = time.monotonic() + 20
    while not (tmp_path / DRIVER_FILE).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield process
    process.kill()
    process.join(10)


Other = multiprocessing.process.BaseProcess


def test_a_second_driver_is_refused_with_the_first_ones_place(other: Other, tmp_path: Path) -> None:
    where = f"process {other.pid} on {socket.gethostname()}"
    with pytest.raises(ConfigError, match=where), driving(tmp_path, "s"):
        pass


def test_a_killed_drivers_record_is_stale(other: Other, tmp_path: Path) -> None:
    other.kill()
    other.join(10)
    assert (tmp_path / DRIVER_FILE).exists()
    assert driver_of(tmp_path) is None
    assert stop_driver(tmp_path, "s", now=False, timeout_s=1) is None
    with driving(tmp_path, "s"):
        found = driver_of(tmp_path)
        assert found is not None
        assert found.pid == os.getpid()
    assert driver_of(tmp_path) is None


def test_stopping_signals_the_driver_and_waits(other: Other, tmp_path: Path) -> None:
    stopped = stop_driver(tmp_path, "s", now=False, timeout_s=20)
    assert stopped is not None
    assert stopped.pid == other.pid
    other.join(10)
    assert other.exitcode == -signal.SIGTERM


def test_a_driver_on_another_host_is_not_signalled(other: Other, tmp_path: Path) -> None:
    record = json.loads((tmp_path / DRIVER_FILE).read_text())
    (tmp_path / DRIVER_FILE).write_text(json.dumps({**record, "host": "elsewhere"}))
    with pytest.raises(ConfigError, match="on elsewhere"):
        stop_driver(tmp_path, "s", now=True, timeout_s=1)
    assert other.is_alive()
