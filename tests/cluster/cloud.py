"""A cloud of a few hosts: its API starts and ends them for whoever asks."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from namespaces import Host

IDLE_MINUTES = 0.25
"""After so long without work a machine is ended."""
_NO_COMMANDS = (
    "cluster_synced_files",
    "initialization_commands",
    *(f"{whose}setup_commands" for whose in ("", "head_", "worker_")),
    *(f"{whose}_start_ray_commands" for whose in ("head", "worker")),
)
"""Ray wants them all from an external provider; machines here start Ray by themselves."""


@dataclass(kw_only=True)
class Cloud:
    """``start`` lets a host join the cluster; ``pool`` are all that there are."""

    pool: Sequence[Host]
    start: Callable[[Host], None]
    started: list[tuple[float, str]] = field(default_factory=list)
    """When, on the monotonic clock, and the address."""
    ended: list[tuple[float, str]] = field(default_factory=list)
    _running: dict[str, Host] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def machines(self) -> dict[str, str]:
        """Name to address of those that run."""
        with self._lock:
            return {name: host.address for name, host in self._running.items()}

    def scale(self, number: int, end: Sequence[str]) -> dict[str, str]:
        """End some, then start what is missing to ``number``."""
        with self._lock:
            for name in end:
                host = self._running.pop(name)
                host.kill()
                self.ended.append((time.monotonic(), host.address))
            for host in [each for each in self.pool if each.name not in self._running]:
                if len(self._running) >= number:
                    break
                self.start(host)
                self._running[host.name] = host
                self.started.append((time.monotonic(), host.address))
        return self.machines()


@contextmanager
def serve_cloud(cloud: Cloud, address: str) -> Iterator[str]:
    """Its API at ``address``; where that is."""

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(cloud.machines())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(cloud.scale(**json.loads(body)))

        def _answer(self, machines: dict[str, str]) -> None:
            body = json.dumps(machines).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((address, 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def write_autoscaling(file: Path, *, api: str, head: Host, num_machines: int, gpus: int) -> None:
    """What `ray start --autoscaling-config` reads."""
    config: dict[str, Any] = {
        "cluster_name": "drmn",
        "max_workers": num_machines,
        "idle_timeout_minutes": IDLE_MINUTES,
        "provider": {
            "type": "external",
            "module": "cloud_provider.CloudProvider",
            "api": api,
            "head": head.address,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
            "foreground_node_launch": True,
            "worker_liveness_check": False,
        },
        "available_node_types": {
            "head": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {
                "resources": {"CPU": gpus, "GPU": gpus},
                "node_config": {},
                "min_workers": 0,
                "max_workers": num_machines,
            },
        },
        "head_node_type": "head",
        **{name: {} for name in ("auth", "docker", "file_mounts")},
        **{name: [] for name in _NO_COMMANDS},
    }
    file.write_text(yaml.safe_dump(config))
