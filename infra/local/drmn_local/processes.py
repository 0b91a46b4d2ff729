"""A server that outlives its starter, known by process id and time of birth."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from drmn_local.places import Places, write_private

START_S = 120.0
_STOP_S = 20.0
_LOG_LINES = 20


class StackError(Exception):
    """A server does not start or stop; the message says which, and what its log says."""


@dataclass(frozen=True)
class Daemon:
    """One server of a stack."""

    name: str
    places: Places

    @property
    def log(self) -> Path:
        return self.places.logs / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Of the process that was started here and still lives; a reused id is not taken for it."""
        try:
            found = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return None
        return int(found["pid"]) if _birth(found["pid"]) == found["birth"] else None

    def start(
        self, command: Sequence[str], environ: Mapping[str, str], user: str | None = None
    ) -> None:
        """In a session of its own; no secret may be in ``command``, which others can read."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                list(command),
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
                cwd="/",
            )
        known = {"pid": process.pid, "birth": _birth(process.pid)}
        write_private(self._file, json.dumps(known))

    def await_answer(self, answers: Callable[[], bool]) -> None:
        """Raises StackError where it ends, or does not answer within two minutes."""
        deadline = time.monotonic() + START_S
        while not answers():
            if self.pid is None or time.monotonic() > deadline:
                raise StackError(f"{self.name} does not answer; its log ends:\n{self.log_end()}")
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> bool:
        """End it and its children, by force after 20 s; whether it was running."""
        pid = self.pid
        if pid is None:
            self._file.unlink(missing_ok=True)
            return False
        os.kill(pid, how)
        if not self._is_gone(_STOP_S):
            os.killpg(pid, signal.SIGKILL)
            if not self._is_gone(_STOP_S):
                raise StackError(f"{self.name} (process {pid}) does not end")
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGTERM)
        self._file.unlink(missing_ok=True)
        return True

    def log_end(self, num_lines: int = _LOG_LINES) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-num_lines:])

    def _is_gone(self, limit_s: float) -> bool:
        deadline = time.monotonic() + limit_s
        while self.pid is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    @property
    def _file(self) -> Path:
        return self.places.processes / f"{self.name}.json"


def free_port(wanted: int | None = None) -> int:
    """``wanted`` if nobody listens there, else one that the system chooses."""
    for port in (wanted, 0):
        if port is None:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise StackError("no port is free on 127.0.0.1")


def _birth(pid: int) -> str | None:
    """When a living process started, in the kernel's ticks."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
