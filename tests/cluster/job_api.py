"""A Ray cluster as its users see it: a head's HTTP API, which asks for a token."""

import json
import secrets
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from typed_commands import clean_environ

START_S = 120.0
_POLL_S = 0.1
_ANSWER_S = 30.0


def wait_until(is_so: Callable[[], object], what: str, limit_s: float = START_S) -> float:
    """Poll until ``is_so``; the seconds that it took."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < limit_s, f"not within {limit_s:g} s: {what}"
        time.sleep(_POLL_S)
    return time.monotonic() - started


class HasAddress(Protocol):
    """A host, as far as others know it."""

    @property
    def address(self) -> str: ...


@dataclass(kw_only=True)
class JobApi:
    """The head at ``head``; ``folder`` keeps the token."""

    head: HasAddress
    folder: Path
    dashboard_port: int = 8265
    auth: dict[str, str] = field(init=False)
    """Environment of whoever may talk to the cluster."""

    def __post_init__(self) -> None:
        file = self.folder / "token"
        file.write_text(secrets.token_hex(32))
        file.chmod(0o600)
        self.auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(file), "NO_PROXY": "*"}
        self._token = file.read_text()

    @property
    def address(self) -> str:
        """Of the head's job API."""
        return f"http://{self.head.address}:{self.dashboard_port}"

    def alive(self) -> set[str]:
        """Addresses of the nodes that the head takes for alive; none where it does not answer."""
        try:
            nodes = self.ask("/api/v0/nodes?limit=100")["data"]["result"]["result"]
        except (OSError, ValueError, KeyError, TypeError):
            return set()
        return {node["node_ip"] for node in nodes if node["state"] == "ALIVE"}

    def await_nodes(self, hosts: Sequence[HasAddress] = (), limit_s: float = START_S) -> float:
        """Until these and the head are alive; the seconds that it took."""
        wanted = {self.head.address, *(host.address for host in hosts)}
        return wait_until(lambda: wanted <= self.alive(), f"alive: {wanted}", limit_s)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The head's answer to a request; a POST if there is a body."""
        request = urllib.request.Request(
            self.address + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as reply:
            answer: dict[str, Any] = json.loads(reply.read())
        return answer

    def submit(self, *command: str) -> str:
        """A job, over the job API; its id."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                return str(self.ask("/api/jobs/", {"entrypoint": " ".join(command)})["job_id"])
            except OSError:  # the agent that starts jobs comes late
                assert time.monotonic() < deadline, "no job can be submitted"
                time.sleep(_POLL_S)

    def job_status(self, job: str) -> str:
        """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
        return str(self.ask(f"/api/jobs/{job}")["status"])

    def job_log(self, job: str) -> str:
        """What it has printed."""
        return str(self.ask(f"/api/jobs/{job}/logs")["logs"])

    def start_outside(self, *command: str, folder: Path) -> subprocess.Popen[str]:
        """A command of a user on no host of the cluster, who has its token and nothing else."""
        return subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environ(**self.auth),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
