"""All servers of a stack: started in order, found again, stopped in the opposite order."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from drmn_local.places import USER, Places, write_private
from drmn_local.postgres import Postgres
from drmn_local.processes import Daemon, free_port
from drmn_local.swift_node import REGION, SERVERS, STORES, SwiftNode
from drmn_local.tracking_server import BUCKET, TrackingServer

SWEEP_BUCKET = "drmn"
_WANTED_PORTS = {"mlflow": 5000, "postgres": 5433, "swift-proxy": 8333}
_LOCK_S = 300.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Stack:
    """One stack, in one folder."""

    places: Places
    say: Say

    @classmethod
    def at(cls, folder: Path, say: Say) -> "Stack":
        return cls(Places(folder.resolve()), say)

    @property
    def daemons(self) -> list[Daemon]:
        """In the order in which they are started."""
        names = ("postgres", *(f"swift-{name}" for name in SERVERS), "mlflow")
        return [Daemon(name, self.places) for name in names]

    def up(self) -> None:
        """Start what does not run; what runs is left alone.

        Raises:
            StackError: a server does not start.
        """
        self.places.make()
        with FileLock(self.places.lock, timeout=_LOCK_S):
            ports = self._choose_ports()
            self._start_postgres(ports)
            self._start_swift(ports)
            self._start_mlflow(ports)
            self._write_environment(ports)

    def down(self, *, delete: bool) -> None:
        """Stop what runs; with ``delete`` the data go as well."""
        if not self.places.root.is_dir():
            self.say(f"there is no stack in {self.places.root}")
            return
        with FileLock(self.places.lock, timeout=_LOCK_S):
            postgres = Postgres(self.places)
            for daemon in reversed(self.daemons):
                stopped = postgres.stop() if daemon.name == "postgres" else daemon.stop()
                if stopped:
                    self.say(f"{daemon.name} stopped")
            if delete:
                postgres.delete()
        if delete:
            shutil.rmtree(self.places.root)
            self.say(f"{self.places.root} deleted")

    def address(self, daemon: Daemon) -> str:
        return f"127.0.0.1:{self.places.ports()[daemon.name]}"

    def _choose_ports(self) -> dict[str, int]:
        """A running server keeps its port; any other gets its last one, or a free one.

        An MLflow whose servers moved is stopped, to be started with their new addresses.
        """
        ports = self.places.ports()
        before = dict(ports)
        for daemon in self.daemons:
            if daemon.pid is not None:
                continue
            wanted = ports.get(daemon.name, _WANTED_PORTS.get(daemon.name))
            ports[daemon.name] = free_port(wanted)
            if wanted not in (None, ports[daemon.name]):
                self.say(f"port {wanted} is taken: {daemon.name} uses {ports[daemon.name]}")
        moved = [name for name in ("postgres", "swift-proxy") if before.get(name) != ports[name]]
        if moved and Daemon("mlflow", self.places).stop():
            self.say(f"mlflow stopped: {' and '.join(moved)} moved")
        self.places.keep_ports(ports)
        return ports

    def _start_postgres(self, ports: dict[str, int]) -> None:
        postgres = Postgres(self.places)
        if postgres.daemon.pid is None:
            postgres.start(ports["postgres"], self.places.secrets().database)
            self.say(f"postgres started on port {ports['postgres']}")

    def _start_swift(self, ports: dict[str, int]) -> None:
        daemons = {name: Daemon(f"swift-{name}", self.places) for name in SERVERS}
        if all(daemon.pid is not None for daemon in daemons.values()):
            return
        for daemon in daemons.values():
            daemon.stop()
        node = self._node(ports)
        self.places.store.mkdir(exist_ok=True, mode=0o700)
        node.configure()
        for name in (*STORES, "proxy"):
            daemons[name].start(node.command(name), node.environment())
        daemons["proxy"].await_answer(node.answers)
        for bucket in (BUCKET, SWEEP_BUCKET):
            node.make_bucket(bucket)
        self.say(f"swift started, its S3 API on port {ports['swift-proxy']}")

    def _start_mlflow(self, ports: dict[str, int]) -> None:
        self._write_credentials(ports)
        postgres = Postgres(self.places)
        server = TrackingServer(
            places=self.places,
            secrets=self.places.secrets(),
            port=ports["mlflow"],
            database=postgres.uri("mlflow", ports["postgres"]),
            auth_database=postgres.uri("mlflow_auth", ports["postgres"]),
            store=self._store_environment(ports),
        )
        if server.daemon.pid is None:
            server.start()
            self.say(f"mlflow started: {server.uri}, user {USER}")

    def _node(self, ports: dict[str, int]) -> SwiftNode:
        return SwiftNode(
            folder=self.places.store,
            ports={name: ports[f"swift-{name}"] for name in SERVERS},
            access_key=f"{USER}:{USER}",
            secret_key=self.places.secrets().store,
        )

    def _store_environment(self, ports: dict[str, int]) -> dict[str, str]:
        """No secret among them: they name the file that holds it."""
        endpoint = self._node(ports).endpoint
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.places.aws_credentials),
            "AWS_PROFILE": "default",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": endpoint,
            "MLFLOW_S3_ENDPOINT_URL": endpoint,
        }

    def _write_credentials(self, ports: dict[str, int]) -> None:
        node = self._node(ports)
        write_private(
            self.places.aws_credentials,
            f"[default]\naws_access_key_id = {node.access_key}\n"
            f"aws_secret_access_key = {node.secret_key}\n",
        )

    def _write_environment(self, ports: dict[str, int]) -> None:
        study = Postgres(self.places).uri("optuna", ports["postgres"])
        values = {
            **self._store_environment(ports),
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports['mlflow']}",
            "MLFLOW_TRACKING_USERNAME": USER,
            "MLFLOW_TRACKING_PASSWORD": self.places.secrets().mlflow,
            "DRMN_STUDY_STORAGE": study,
            "DRMN_SWEEP_STORAGE": f"s3://{SWEEP_BUCKET}/sweeps",
        }
        lines = [f"export {name}='{value}'\n" for name, value in values.items()]
        write_private(self.places.environment, "".join(lines))
