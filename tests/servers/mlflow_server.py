"""A real `mlflow server` on a free loopback port, which can be killed and started again."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

START_S = 90.0
_PLAIN = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class MlflowServer:
    """One worker; the database and the artifacts in ``folder`` outlive it."""

    def __init__(
        self, folder: Path, backend_uri: str | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.backend_uri = backend_uri or f"sqlite:///{folder}/server.db"
        self.uri = f"http://{host}:{free_port()}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once it answers."""
        assert self._process is None
        address = self.uri.removeprefix("http://")
        host, _, port = address.partition(":")
        command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", port]
        command += ["--workers", "1", "--allowed-hosts", address]
        command += ["--backend-store-uri", self.backend_uri]
        command += ["--artifacts-destination", str(self._folder / "artifacts")]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env={**inherited, **_PLAIN},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_healthy()

    def ensure_started(self) -> None:
        """:meth:`start` it unless it runs."""
        if self._process is None:
            self.start()

    def kill(self) -> None:
        """As a power cut would: no connection is closed in good order."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """It takes connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers again, first what was asked meanwhile."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Nothing is left behind; a server that was killed is left alone."""
        if self._process is not None:
            self.thaw()
            self._end(signal.SIGTERM)

    def _signal(self, how: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(os.getpgid(self._process.pid), how)

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._signal(how)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._process.wait(timeout=20)
        self._process = None

    def _wait_healthy(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while not self._answers():
            log = (self._folder / "server.log").read_text()
            assert self._process.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False
