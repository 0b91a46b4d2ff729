"""The local stack's Swift node for the length of a test: a real object store with an S3 API."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from drmn_local.processes import free_port
from drmn_local.swift_node import REGION, SERVERS, SwiftNode

ACCESS_KEY, SECRET_KEY = "test:tester", "canary-of-s3-7f2c9e"
BUCKET = "drmn"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_DEFAULT_REGION": REGION,
}
"""What an S3 client reads; the endpoint is given with each URI."""
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class SwiftServer:
    """A running server: ``endpoint`` is its http URL; any test may use the bucket BUCKET."""

    endpoint: str
    _node: SwiftNode
    _servers: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """ENVIRONMENT, for one's own additions."""
        return dict(ENVIRONMENT)

    def uri(self, prefix: str) -> str:
        """``s3://`` with the endpoint, as pyarrow reads it."""
        address = self.endpoint.removeprefix("http://")
        return f"s3://{BUCKET}/{prefix}?scheme=http&endpoint_override={address}"

    def start(self, *names: str) -> None:
        """Those servers, on the host that the calling thread is on; return once all answer."""
        self._servers.update({name: _start(self._node, name) for name in names})
        _await_health(self._node, self._servers)

    def kill(self, name: str) -> None:
        """As a power cut does to one of SERVERS; what it has acknowledged is kept."""
        self._servers[name].kill()
        self._servers.pop(name).wait()

    def stop(self) -> None:
        """In good order."""
        for server in self._servers.values():
            server.terminate()
        for server in self._servers.values():
            try:
                server.wait(timeout=_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@contextmanager
def serve_swift(folder: Path, host: str = "127.0.0.1") -> Iterator[SwiftServer]:
    """Start, wait until it answers, and stop by process id.

    Raises:
        RuntimeError: a server ends, or none answers within a minute; its log is in the message.
    """
    node = SwiftNode(
        folder=folder,
        ports={name: free_port() for name in SERVERS},
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        host=host,
    )
    node.configure()
    server = SwiftServer(endpoint=node.endpoint, _node=node)
    try:
        server.start(*SERVERS)
        node.make_bucket(BUCKET)
        yield server
    finally:
        server.stop()


def _start(node: SwiftNode, name: str) -> subprocess.Popen[bytes]:
    with (node.folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(node.command(name), stdout=log, stderr=log, env=node.environment())


def _await_health(node: SwiftNode, servers: dict[str, subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + _START_TIMEOUT_S
    while not node.answers():
        ended = [name for name, server in servers.items() if server.poll() is not None]
        if ended or time.monotonic() > end:
            name = (ended or ["proxy"])[0]
            log = (node.folder / f"{name}.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the {name} server of Swift does not answer:\n{log}")
        time.sleep(0.1)
