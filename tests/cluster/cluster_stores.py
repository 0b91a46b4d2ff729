"""What a cluster keeps its books on, all on one host: PostgreSQL, S3, MLflow, and Ray's Redis."""

import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from drmn_local.processes import free_port
from mlflow_server import MlflowServer
from namespaces import Host
from postgres_server import serve_postgres
from swift_server import SwiftServer, serve_swift

_LIMIT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Stores:
    """All of them run; ``host`` is theirs."""

    host: Host
    s3: SwiftServer
    mlflow: MlflowServer
    optuna_uri: str

    @property
    def environment(self) -> dict[str, str]:
        """What a node, or a user elsewhere, sets to use them."""
        return {
            **self.s3.environment,
            "AWS_ENDPOINT_URL_S3": self.s3.endpoint,
            "DRMN_SWEEP_STORAGE": "s3://drmn/sweeps",
            "DRMN_STUDY_STORAGE": self.optuna_uri,
            "MLFLOW_TRACKING_URI": self.mlflow.uri,
        }


@contextmanager
def serve_stores(host: Host, postgres: Path, folder: Path) -> Iterator[Stores]:
    """Start them on ``host``; stop them and remove their files at the end."""
    with ExitStack() as stack:
        with host.entered():
            url = stack.enter_context(serve_postgres(postgres, host.address))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE DATABASE optuna")
            (folder / "swift").mkdir()
            s3 = stack.enter_context(serve_swift(folder / "swift", host.address))
            backend = url.replace("://", "+psycopg://")
            (folder / "mlflow").mkdir()
            mlflow = MlflowServer(folder / "mlflow", backend, host.address)
            stack.callback(mlflow.stop)
            mlflow.start()
        optuna_uri = url.rpartition("/")[0] + "/optuna"
        yield Stores(host=host, s3=s3, mlflow=mlflow, optuna_uri=optuna_uri)


def redis_program() -> str | None:
    """Redis' server, if it is installed."""
    return shutil.which("redis-server")


@contextmanager
def serve_redis(host: Host, folder: Path) -> Iterator[tuple[str, str]]:
    """Its address and password; what it has acknowledged is on the disk."""
    program, password = redis_program(), secrets.token_hex(16)
    assert program
    with host.entered(), (folder / "redis.log").open("wb") as log:
        port = free_port()
        (folder / "redis.conf").write_text(
            f"bind {host.address}\nport {port}\nrequirepass {password}\n"
            f"dir {folder}\nappendonly yes\n"
        )
        process = subprocess.Popen([program, folder / "redis.conf"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _LIMIT_S
        while b"Ready to accept connections" not in (folder / "redis.log").read_bytes():
            assert process.poll() is None, (folder / "redis.log").read_text()
            assert time.monotonic() < deadline, "Redis does not start"
            time.sleep(0.05)
        yield f"{host.address}:{port}", password
    finally:
        process.terminate()
        try:
            process.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
