"""The local stack's Swift node for the length of a test: a real object store with an S3 API."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from drmn_local.processes import free_port
from drmn_local.swift_node import REGION, SERVERS, SwiftNode

ACCESS_KEY, SECRET_KEY = "test:tester", "canary-of-s3-7f2c9e"
BUCKET = "drmn"
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class SwiftServer:
    """A running server: ``endpoint`` is its http URL; any test may use the bucket BUCKET."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What an S3 client reads; the endpoint is given with each URI."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
        }

    def uri(self, prefix: str) -> str:
        """``s3://`` with the endpoint, as pyarrow reads it."""
        address = self.endpoint.removeprefix("http://")
        return f"s3://{BUCKET}/{prefix}?scheme=http&endpoint_override={address}"


@contextmanager
def serve_swift(folder: Path) -> Iterator[SwiftServer]:
    """Start, wait until it answers, and stop by process id.

    Raises:
        RuntimeError: a server ends, or none answers within a minute; its log is in the message.
    """
    node = SwiftNode(
        folder=folder,
        ports={name: free_port() for name in SERVERS},
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
    )
    node.configure()
    servers = {name: _start(node, name) for name in SERVERS}
    try:
        _await_health(node, servers)
        node.make_bucket(BUCKET)
        yield SwiftServer(endpoint=node.endpoint)
    finally:
        _stop(list(servers.values()))


def _start(node: SwiftNode, name: str) -> subprocess.Popen[bytes]:
    with (node.folder / f"{name}.log").open("wb") as log:
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


def _stop(servers: list[subprocess.Popen[bytes]]) -> None:
    for server in servers:
        server.terminate()
    for server in servers:
        try:
            server.wait(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
