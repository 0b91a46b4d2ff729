"""One OpenStack Swift node with its S3 API: proxy, account, container and object server.

They are processes of their own on loopback ports; their files lie in one folder. Nothing else is
needed: no memcached, no ring of disks.
"""

import hashlib
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from drmn_local.places import write_private

STORES = ("account", "container", "object")
SERVERS = (*STORES, "proxy")
REGION = "us-east-1"
_PIPELINE = (
    "catch_errors gatekeeper healthcheck cache listing_formats bulk s3api tempauth slo "
    "versioned_writes symlink copy proxy-server"
)
_FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "slo", "copy")


@dataclass(frozen=True, kw_only=True)
class SwiftNode:
    """A node's files and ports. ``access_key`` reads ``ACCOUNT:USER``.

    Only the proxy, which asks for credentials, listens on ``host``; all else is on loopback.
    """

    folder: Path
    ports: dict[str, int]
    access_key: str
    secret_key: str
    host: str = "127.0.0.1"

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}:{self.ports['proxy']}"

    def configure(self) -> None:
        """Write the servers' settings, which hold the secret, and rings of the one device."""
        (self.folder / "devices" / "d1").mkdir(parents=True, exist_ok=True)
        suffix = hashlib.sha256(self.access_key.encode()).hexdigest()[:16]
        self._write(
            "swift.conf",
            f"[swift-hash]\nswift_hash_path_suffix = {suffix}\n"
            "[storage-policy:0]\nname = only\ndefault = yes\n"
            "[swift-constraints]\nmax_header_size = 16384\n",
        )
        self._write("proxy.conf", self._proxy_conf())
        for name in STORES:
            self._write(f"{name}.conf", self._store_conf(name))
            self._ring(name)

    def command(self, name: str) -> list[str]:
        """That runs one server; it needs :meth:`environment`."""
        return [*_program(f"swift-{name}-server"), str(self.folder / f"{name}.conf")]

    def environment(self) -> dict[str, str]:
        """Of a server: it finds the cache's module."""
        return {"PYTHONPATH": str(Path(__file__).parent), "PATH": "/usr/bin:/bin"}

    def answers(self) -> bool:
        """Whether the proxy does."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/healthcheck", timeout=2) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def make_bucket(self, name: str) -> None:
        """Also where it is there already."""
        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=REGION,
            config=Config(retries={"total_max_attempts": 5}),
        )
        try:
            client.head_bucket(Bucket=name)
        except ClientError:
            client.create_bucket(Bucket=name)

    def _write(self, name: str, text: str) -> None:
        write_private(self.folder / name, text)

    def _ring(self, name: str) -> None:
        """Which port serves the device: made anew, since all data lie on the one device."""
        builder = self.folder / f"{name}.builder"
        builder.unlink(missing_ok=True)
        _run_ring(builder, "create", "4", "1", "0")
        _run_ring(builder, "add", f"r1z1-127.0.0.1:{self.ports[name]}/d1", "1")
        _run_ring(builder, "rebalance")

    def _defaults(self, port: int, host: str = "127.0.0.1") -> str:
        return (
            f"[DEFAULT]\nswift_dir = {self.folder}\nbind_ip = {host}\nbind_port = {port}\n"
            f"workers = 0\nlog_address = {self.folder}/no-syslog\n"
        )

    def _proxy_conf(self) -> str:
        account, user = self.access_key.split(":")
        sections = {
            "pipeline:main": f"pipeline = {_PIPELINE}",
            "app:proxy-server": "use = egg:swift#proxy\naccount_autocreate = true",
            "filter:cache": "paste.filter_factory = swift_cache:filter_factory",
            "filter:s3api": f"use = egg:swift#s3api\nlocation = {REGION}\n"
            "min_segment_size = 5242880",
            "filter:tempauth": f"use = egg:swift#tempauth\n"
            f"user_{account}_{user} = {self.secret_key} .admin",
            "filter:versioned_writes": "use = egg:swift#versioned_writes",
            "filter:symlink": "use = egg:swift#symlink",
            **{f"filter:{name}": f"use = egg:swift#{name}" for name in _FILTERS},
        }
        parts = [f"[{name}]\n{body}\n" for name, body in sections.items()]
        return self._defaults(self.ports["proxy"], self.host) + "".join(parts)

    def _store_conf(self, name: str) -> str:
        return (
            f"{self._defaults(self.ports[name])}devices = {self.folder}/devices\n"
            f"mount_check = false\n[pipeline:main]\npipeline = {name}-server\n"
            f"[app:{name}-server]\nuse = egg:swift#{name}\n"
        )


def _program(name: str) -> list[str]:
    return [sys.executable, str(Path(sys.executable).with_name(name))]


def _run_ring(builder: Path, *arguments: str) -> None:
    command = [*_program("swift-ring-builder"), str(builder), *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
