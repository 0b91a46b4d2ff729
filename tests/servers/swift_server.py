"""One OpenStack Swift node with its S3 API on this machine: a real object store for tests.

The proxy, account, container and object servers run as processes of their own on free loopback
ports; their files lie in a folder that a test gives. Nothing else is needed: no memcached, no ring
of disks.
"""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

ACCESS_KEY, SECRET_KEY = "test:tester", "testing"
BUCKET = "drmn"
REGION = "us-east-1"
_STORES = ("account", "container", "object")
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0
_PIPELINE = (
    "catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth slo "
    "versioned_writes symlink copy proxy-server"
)
_FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "slo", "copy")


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
    ports = dict(zip((*_STORES, "proxy"), _free_ports(4), strict=True))
    _configure(folder, ports)
    servers = {name: _start(folder, name) for name in ports}
    endpoint = f"http://127.0.0.1:{ports['proxy']}"
    try:
        _await_health(f"{endpoint}/healthcheck", servers, folder)
        _make_bucket(endpoint)
        yield SwiftServer(endpoint=endpoint)
    finally:
        _stop(list(servers.values()))


def _configure(folder: Path, ports: dict[str, int]) -> None:
    (folder / "devices" / "d1").mkdir(parents=True)
    (folder / "swift.conf").write_text(
        "[swift-hash]\nswift_hash_path_suffix = test\n"
        "[storage-policy:0]\nname = only\ndefault = yes\n"
        "[swift-constraints]\nmax_header_size = 16384\n"
    )
    (folder / "proxy.conf").write_text(_proxy_conf(folder, ports["proxy"]))
    for name in _STORES:
        (folder / f"{name}.conf").write_text(_store_conf(folder, name, ports[name]))
        builder = str(folder / f"{name}.builder")
        _ring(builder, "create", "4", "1", "0")
        _ring(builder, "add", f"r1z1-127.0.0.1:{ports[name]}/d1", "1")
        _ring(builder, "rebalance")


def _defaults(folder: Path, port: int) -> str:
    return (
        f"[DEFAULT]\nswift_dir = {folder}\nbind_ip = 127.0.0.1\nbind_port = {port}\n"
        f"workers = 0\nlog_address = {folder}/no-syslog\n"
    )


def _proxy_conf(folder: Path, port: int) -> str:
    account, user = ACCESS_KEY.split(":")
    sections = {
        "pipeline:main": f"pipeline = {_PIPELINE}",
        "app:proxy-server": "use = egg:swift#proxy\naccount_autocreate = true",
        "filter:cache": "paste.filter_factory = swift_cache:filter_factory",
        "filter:s3api": f"use = egg:swift#s3api\nlocation = {REGION}\nmin_segment_size = 5242880",
        "filter:tempauth": f"use = egg:swift#tempauth\nuser_{account}_{user} = {SECRET_KEY} .admin",
        "filter:versioned_writes": "use = egg:swift#versioned_writes",
        "filter:symlink": "use = egg:swift#symlink",
        **{f"filter:{name}": f"use = egg:swift#{name}" for name in _FILTERS},
    }
    return _defaults(folder, port) + "".join(
        f"[{name}]\n{body}\n" for name, body in sections.items()
    )


def _store_conf(folder: Path, name: str, port: int) -> str:
    return (
        f"{_defaults(folder, port)}devices = {folder}/devices\nmount_check = false\n"
        f"[pipeline:main]\npipeline = {name}-server\n[app:{name}-server]\nuse = egg:swift#{name}\n"
    )


def _program(name: str) -> list[str]:
    return [sys.executable, str(Path(sys.executable).with_name(name))]


def _ring(*arguments: str) -> None:
    subprocess.run(
        [*_program("swift-ring-builder"), *arguments], check=True, capture_output=True, timeout=60
    )


def _start(folder: Path, name: str) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*_program(f"swift-{name}-server"), str(folder / f"{name}.conf")],
            stdout=log,
            stderr=log,
            env={"PYTHONPATH": str(Path(__file__).parent), "PATH": "/usr/bin:/bin"},
        )


def _await_health(url: str, servers: dict[str, subprocess.Popen[bytes]], folder: Path) -> None:
    end = time.monotonic() + _START_TIMEOUT_S
    while not _answers(url):
        ended = [name for name, server in servers.items() if server.poll() is not None]
        if ended or time.monotonic() > end:
            name = (ended or ["proxy"])[0]
            log = (folder / f"{name}.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the {name} server of Swift does not answer:\n{log}")
        time.sleep(0.1)


def _make_bucket(endpoint: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=REGION,
    )
    client.create_bucket(Bucket=BUCKET)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _stop(servers: list[subprocess.Popen[bytes]]) -> None:
    for server in servers:
        server.terminate()
    for server in servers:
        try:
            server.wait(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
