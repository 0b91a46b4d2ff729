"""Ray on hosts of a network: a head without trials, and workers with pretend GPUs."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from job_api import JobApi
from namespaces import Host
from typed_commands import BIN, clean_environ

_PORT = 6379

NOTICE_SOON = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""A host that no longer answers is given up after about 6 s; by default after about a minute."""

SMALL = {"RAY_enable_worker_prestart": "0", "RAY_prestart_worker_first_driver": "0"}
"""No processes in advance: three nodes share two cores here."""

_OWN_SESSIONS = 'mount --bind "$0" "$1"; shift; exec "$@"'
"""``sh -c`` of this sees the folder $0 at $1: each host has its own files where Ray keeps them."""


@dataclass(kw_only=True)
class RayHosts(JobApi):
    """A cluster with token auth.

    Args:
        environ: of every node; a job's driver inherits the head's.
        redis: address and password, which only the head needs to know.
    """

    head: Host
    environ: dict[str, str]
    redis: tuple[str, str]
    _sessions: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ray-")))
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.environ = clean_environ(**self.environ, **self.auth, **NOTICE_SOON, **SMALL)

    def start_head(self, *more: str) -> None:
        """Also again, after it was lost; ``more`` options of `ray start`."""
        address, password = self.redis
        options = [f"--port={_PORT}", "--include-dashboard=true", f"--redis-password={password}"]
        options += [f"--dashboard-host={self.head.address}"]
        options += [f"--dashboard-port={self.dashboard_port}", f"--temp-dir={self._sessions}"]
        options += ["--num-cpus=0", "--num-gpus=0", *more]
        here = os.pathsep.join([str(Path(__file__).parent), self.environ.get("PYTHONPATH", "")])
        environ = {"RAY_REDIS_ADDRESS": address, "PYTHONPATH": here.rstrip(os.pathsep)}
        self._start(self.head, "--head", *options, **environ)

    def start_worker(self, host: Host, num_gpus: int = 2) -> None:
        """Join ``host`` to the cluster."""
        resources = [f"--num-cpus={num_gpus}", f"--num-gpus={num_gpus}"]
        self._start(host, f"--address={self.head.address}:{_PORT}", *resources)

    def remove(self) -> None:
        """What is left when the hosts have been killed."""
        for process in self._started:
            process.kill()
            process.wait()
        shutil.rmtree(self._sessions, ignore_errors=True)

    def _start(self, host: Host, *options: str, **more: str) -> None:
        own = self.folder / "hosts" / host.name
        own.mkdir(parents=True, exist_ok=True)
        command = ["sh", "-c", _OWN_SESSIONS, str(own), str(self._sessions)]
        command += [str(BIN / "ray"), "start", "--block", f"--node-ip-address={host.address}"]
        command += ["--disable-usage-stats", "--object-store-memory=100000000", *options]
        started = host.start(command, {**self.environ, **more}, own / "start.log")
        self._started.append(started)
