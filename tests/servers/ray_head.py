"""A Ray head of a test's own, with or without a token, as a process group of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typed_commands import BIN

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """One that nobody listens on now, outside of those that Ray keeps for its workers."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class RayHead:
    """Where a head listens."""

    host: str
    port: int
    client_port: int
    dashboard_port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def gcs(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def client(self) -> str:
        return f"ray://{self.host}:{self.client_port}"

    @property
    def dashboard(self) -> str:
        return f"http://{self.host}:{self.dashboard_port}"

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = 100.0) -> None:
        """Fail the test where that never comes."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.process.poll() is None:
            if ready():
                return
            time.sleep(0.2)
        pytest.fail(f"no Ray at {self.gcs} within {timeout_s:g} s: {self.log.read_text()[-2000:]}")


@contextlib.contextmanager
def serve_ray_head(
    environ: Mapping[str, str], *, host: str = LOOPBACK, within: Sequence[str] = ()
) -> Iterator[RayHead]:
    """Start one, not yet ready; ``within`` is a command that runs the rest of its line."""
    session = Path(tempfile.mkdtemp(prefix="ray-"))  # short: sockets lie in it
    port, client, dashboard = (free_port() for _ in range(3))
    log = session / "head.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *within, str(BIN / "ray"), "start", "--head", "--block",
                f"--node-ip-address={host}", f"--port={port}", f"--ray-client-server-port={client}",
                "--include-dashboard=true", f"--dashboard-host={host}",
                f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={free_port()}",
                "--num-cpus=2", "--disable-usage-stats", f"--temp-dir={session}",
            ],
            cwd=session, env=dict(environ), stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield RayHead(host, port, client, dashboard, process, log)
    finally:
        stop_group(process)
        shutil.rmtree(session, ignore_errors=True)


def stop_group(process: subprocess.Popen[bytes], grace_s: float = 3.0) -> None:
    """End a process with all that it started: they are one process group."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sent)
            process.wait(grace_s)
