"""Services of infra/compose.yaml as processes of this machine: the file's commands and environment,
with loopback addresses and folders of the test's own in place of the containers'."""

import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from deployment_files import INFRA, KUBERAY, compose
from drmn_local.processes import free_port
from ray_head import stop_group
from swift_server import ACCESS_KEY, SECRET_KEY, SwiftServer
from typed_commands import clean_environ

HOST = "127.0.0.1"


@dataclass(frozen=True)
class NativeCompose:
    """The file's words, translated; PostgreSQL and the object store are there already."""

    folder: Path
    postgres: str
    store: SwiftServer
    ports: dict[str, int] = field(
        default_factory=lambda: {
            name: free_port() for name in ("mlflow", "gcs", "dashboard", "agent", "worker_agent")
        }
    )

    def __post_init__(self) -> None:
        for name in ("shared/home", "shared/data", "home", "logs"):
            (self.folder / name).mkdir(parents=True)
        subprocess.run(
            [INFRA / "compose-secrets", self.folder / "env"], check=True, capture_output=True
        )
        auth = (KUBERAY / "base/files/mlflow-auth.ini").read_text()
        (self.folder / "mlflow-auth.ini").write_text(self.here(auth))

    @property
    def secrets(self) -> dict[str, str]:
        """Those that compose-secrets made; the store's are the store's own."""
        made = dict(line.split("=") for line in (self.folder / "env").read_text().splitlines())
        return {**made, "STORE_ACCESS_KEY": ACCESS_KEY, "STORE_SECRET_KEY": SECRET_KEY}

    @property
    def mlflow(self) -> str:
        return f"http://{HOST}:{self.ports['mlflow']}"

    @property
    def dashboard(self) -> str:
        return f"http://{HOST}:{self.ports['dashboard']}"

    def here(self, text: str) -> str:
        """A word of the file, as it is on this machine."""
        database = urlsplit(self.postgres)
        for there, here in {
            "postgres:5432": f"{HOST}:{database.port}",
            "minio:9000": self.store.endpoint.removeprefix("http://"),
            "mlflow:5000": f"{HOST}:{self.ports['mlflow']}",
            "ray-head:6379": f"{HOST}:{self.ports['gcs']}",
            "--port=6379": f"--port={self.ports['gcs']}",
            "--dashboard-port=8265": f"--dashboard-port={self.ports['dashboard']}",
            "0.0.0.0": HOST,
            "/shared/": f"{self.folder}/shared/",
            "/tmp/home": f"{self.folder}/home",
            "/etc/mlflow/mlflow-auth.ini": f"{self.folder}/mlflow-auth.ini",
        }.items():
            text = text.replace(there, here)
        return str(self.ports["mlflow"]) if text == "5000" else text

    def command(self, service: str) -> list[str]:
        return [self.here(word) for word in compose()["services"][service]["command"]]

    def environ(self, service: str) -> dict[str, str]:
        """The shell's, without what would point elsewhere, and the file's."""
        given = compose()["services"][service]["environment"]
        values = {
            name: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: self.secrets[found[1]], str(value))
            for name, value in given.items()
        }
        clean = {k: v for k, v in clean_environ().items() if not k.startswith(("AWS_", "PG"))}
        return {**clean, **{name: self.here(value) for name, value in values.items()}}

    def run(self, *services: str) -> None:
        """Run services that end, all at once, to their ends."""
        with contextlib.ExitStack() as stack:
            started = [stack.enter_context(self.started(name)) for name in services]
            for name, process in zip(services, started, strict=True):
                assert process.wait(120) == 0, self.log(name)

    @contextlib.contextmanager
    def started(self, service: str, more: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
        """One that stays, as a process group that is ended at the end."""
        with (self.folder / "logs" / service).open("wb") as log:
            process = subprocess.Popen(
                [*self.command(service), *more],
                env=self.environ(service), cwd=self.folder, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            stop_group(process)

    def log(self, service: str) -> str:
        return (self.folder / "logs" / service).read_text(errors="replace")[-3000:]

    def wait_until(self, service: str, ready: Callable[[], bool], timeout_s: float = 100) -> None:
        deadline = time.monotonic() + timeout_s
        while not ready():
            if time.monotonic() > deadline:
                pytest.fail(f"{service} is not ready:\n{self.log(service)}")
            time.sleep(0.2)


@contextlib.contextmanager
def short_folder() -> Iterator[Path]:
    """Where Ray can make its sockets: their paths must be short."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as name:
        yield Path(name)
