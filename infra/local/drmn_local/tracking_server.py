"""The MLflow server: PostgreSQL behind it, artifacts by proxy in the store, basic auth on."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass

from drmn_local.places import USER, Places, Secrets, write_private
from drmn_local.processes import Daemon, StackError

BUCKET = "mlflow"


@dataclass(frozen=True, kw_only=True)
class TrackingServer:
    """Its secrets travel by environment and 0600 files: command lines are open to everybody."""

    places: Places
    secrets: Secrets
    port: int
    database: str
    auth_database: str
    store: dict[str, str]
    """Environment of an S3 client."""

    @property
    def daemon(self) -> Daemon:
        return Daemon("mlflow", self.places)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Migrate the database, start, and wait for an answer."""
        self._migrate()
        write_private(
            self.places.mlflow_auth,
            "[mlflow]\ndefault_permission = NO_PERMISSIONS\n"
            f"database_uri = {self.auth_database}\nadmin_username = {USER}\n"
            "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n",
        )
        hosts = ",".join(f"{host}:{self.port}" for host in ("127.0.0.1", "localhost"))
        command = [*_MLFLOW, "server", "--app-name", "basic-auth", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--workers", "1", "--allowed-hosts", hosts]
        command += ["--artifacts-destination", f"s3://{BUCKET}/artifacts"]
        self.daemon.start(command, self._environ())
        self.daemon.await_answer(self._answers)

    def _environ(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "AWS_"))}
        return {
            **inherited,
            **self.store,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_BACKEND_STORE_URI": self.database,
            "MLFLOW_AUTH_CONFIG_PATH": str(self.places.mlflow_auth),
            "MLFLOW_AUTH_ADMIN_USERNAME": USER,
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.secrets.mlflow,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self.secrets.mlflow_session,
        }

    def _migrate(self) -> None:
        """Once, before any worker: several at a time spoil a fresh database."""
        done = subprocess.run(
            [*_MLFLOW, "db", "upgrade", self.database],
            env=self._environ(),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        if done.returncode:
            raise StackError(f"MLflow's database cannot be migrated:\n{done.stderr[-2000:]}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False


_MLFLOW = (sys.executable, "-m", "mlflow")
