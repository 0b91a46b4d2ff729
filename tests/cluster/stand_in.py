"""What stands in for hosts where none can be made: nodes of one machine, started by one process."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import stand_in_nodes as nodes
from drmn_local.processes import free_port
from job_api import JobApi
from ray_hosts import NOTICE_SOON, SMALL
from rig import why_no_rig
from typed_commands import clean_environ

FORCE = "DRMN_CLUSTER_STAND_IN"
"""Environment variable: if set, the stand-in runs even where hosts can be made."""
STANDS_IN = (
    "test_stand_in.py shows on one machine what it can: a worker lost, a node added, a driver "
    "killed; no cut link, lost head, absent S3 or MLflow, and no autoscaler"
)
_END_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Loopback:
    """Where the head is."""

    address: str = "127.0.0.1"


@dataclass(kw_only=True)
class StandIn(JobApi):
    """A head, and as many workers as were added; books in ``folder``: files and SQLite."""

    head: Loopback = field(default_factory=Loopback)
    dashboard_port: int = field(default_factory=free_port)
    _sessions: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="ray-"))
    """Short: paths of sockets have at most 107 characters."""
    _process: subprocess.Popen[str] | None = None

    @property
    def home(self) -> Path:
        """``DRMN_HOME`` of its jobs."""
        return self.folder / "home"

    def start(self) -> None:
        """The head alone."""
        environ = {**self.auth, **NOTICE_SOON, **SMALL, "DRMN_PRETEND_GPUS": "1"}
        environ |= {"RAY_TMPDIR": self._sessions, "DRMN_HOME": str(self.home)}
        with (self.folder / "nodes.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, nodes.__file__, str(self.dashboard_port), str(free_port())],
                env=clean_environ(**environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._await_done()

    def add_worker(self) -> None:
        """One more node with two CPUs and two pretend GPUs."""
        self._do(nodes.ADD)

    def lose_worker(self) -> None:
        """The only worker's processes are killed."""
        self._do(nodes.LOSE)

    def pids(self) -> list[int]:
        """Of all that the nodes have started."""
        assert self._process is not None
        return [each.pid for each in psutil.Process(self._process.pid).children(recursive=True)]

    def end(self) -> None:
        """No process is left, and none of Ray's files."""
        shutil.rmtree(self._sessions, ignore_errors=True)
        if self._process is None:
            return
        pids = self.pids() if self._process.poll() is None else []
        with self._process:  # closes its input, which ends it
            try:
                self._process.communicate(timeout=_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _do(self, what: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        self._await_done()

    def _await_done(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while (line := self._process.stdout.readline()).strip() != nodes.DONE:
            assert line, (self.folder / "nodes.log").read_text()


def why_no_stand_in() -> str:
    """ "" where it is wanted."""
    if FORCE in os.environ or why_no_rig():
        return ""
    return f"hosts can be made here, which show more; {FORCE}=1 runs the stand-in all the same"
