"""Whether a Ray is open, asked of small servers that answer as Ray does, and of an open Ray."""

import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
import ray
from distributions import write_folder
from ray_head import free_port, serve_ray_head
from typed_commands import BIN, clean_environ, run_command

from drmn.errors import ConfigError
from orchestration import cluster as cluster_module
from orchestration.cluster import cluster
from orchestration.exposure import (
    Exposure,
    exposure,
    is_loopback,
    refuse_open_cluster,
    refuse_open_ray,
)
from orchestration.settings import ALLOW_OPEN_RAY, read_settings


@contextmanager
def _http(status: int) -> Iterator[str]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextmanager
def _grpc(status: grpc.StatusCode | None) -> Iterator[str]:
    def answer(_request: bytes, context: grpc.ServicerContext) -> bytes:
        if status is not None:
            context.abort(status, "no")
        return b""

    class Any(grpc.GenericRpcHandler):
        def service(self, _details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Any()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (200, Exposure.OPEN),
        (401, Exposure.GUARDED),
        (403, Exposure.GUARDED),
        (404, Exposure.SILENT),
    ],
)
def test_a_dashboard_is_open_where_it_answers(status: int, found: Exposure) -> None:
    with _http(status) as address:
        assert exposure(address) is found


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (None, Exposure.OPEN),
        (grpc.StatusCode.FAILED_PRECONDITION, Exposure.OPEN),
        (grpc.StatusCode.UNKNOWN, Exposure.OPEN),
        (grpc.StatusCode.UNAUTHENTICATED, Exposure.GUARDED),
        (grpc.StatusCode.UNIMPLEMENTED, Exposure.SILENT),
    ],
)
@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_head_is_open_where_it_answers(
    scheme: str, status: grpc.StatusCode | None, found: Exposure
) -> None:
    with _grpc(status) as address:
        assert exposure(f"{scheme}{address}") is found


def test_nobody_there_is_not_open() -> None:
    port = free_port()
    assert exposure(f"127.0.0.1:{port}") is Exposure.SILENT
    assert exposure(f"http://127.0.0.1:{port}") is Exposure.SILENT


def test_what_loopback_is() -> None:
    assert is_loopback("127.0.0.1:6379")
    assert is_loopback("ray://localhost")
    assert is_loopback("http://[::1]:8265")
    assert not is_loopback("192.0.2.7:6379")
    assert not is_loopback("ray://no-such-host.invalid:10001")


@pytest.mark.parametrize("address", ["ftp://head", "ray://", "head:many", "head:0", ":6379"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=f"'{re.escape(address)}' is no address of a Ray"):
        exposure(address)


def test_an_open_ray_in_the_network_is_refused_before_it_is_joined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _grpc(None) as address:
        refuse_open_ray(address, allowed=False)  # this machine's own
        monkeypatch.setattr("orchestration.exposure.is_loopback", lambda _address: False)
        with pytest.raises(ConfigError, match="answers without a token"), cluster(address):
            pass
        refuse_open_ray(address, allowed=True)
    with _grpc(grpc.StatusCode.UNAUTHENTICATED) as address:
        refuse_open_ray(address, allowed=False)


@pytest.mark.parametrize(("name", "value"), [("RAY_AUTH_MODE", "token"), ("RAY_USE_TLS", "1")])
def test_what_does_not_say_is_refused_unless_token_or_tls_are_configured(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.delenv("RAY_USE_TLS", raising=False)
    monkeypatch.setattr("orchestration.exposure.is_loopback", lambda _address: False)
    with _grpc(grpc.StatusCode.DEADLINE_EXCEEDED) as address:
        with pytest.raises(ConfigError, match="does not say whether it asks for a token"):
            refuse_open_ray(address, allowed=False)
        refuse_open_ray(address, allowed=True)
        monkeypatch.setenv(name, value)
        refuse_open_ray(address, allowed=False)


def test_a_joined_cluster_is_judged_by_its_own_address_and_not_by_the_door() -> None:
    elsewhere = "192.0.2.7:6379"
    with _grpc(None) as door:
        refuse_open_cluster(door, door, allowed=False)  # on loopback alone
        with pytest.raises(ConfigError, match=f"{elsewhere}' answers without a token"):
            refuse_open_cluster(f"ray://{door}", elsewhere, allowed=False)
        refuse_open_cluster(f"ray://{door}", elsewhere, allowed=True)
    with _grpc(grpc.StatusCode.UNAUTHENTICATED) as door:
        refuse_open_cluster(f"ray://{door}", elsewhere, allowed=False)


@pytest.mark.parametrize("given", ["127.0.0.1:6379", "auto"])
def test_loopback_does_not_hide_an_open_head(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    with _grpc(None) as own:
        monkeypatch.setattr("orchestration.exposure.is_loopback", lambda found: found != own)
        monkeypatch.setattr(cluster_module, "_connection", lambda _: SimpleNamespace())
        known = SimpleNamespace(gcs_address=own)
        monkeypatch.setattr(ray, "get_runtime_context", lambda: known)
        with (
            pytest.raises(ConfigError, match="answers without a token"),
            cluster(given),
        ):
            pytest.fail("it was let in")


def test_openness_is_allowed_by_variable_and_option_together() -> None:
    assert not read_settings({ALLOW_OPEN_RAY: "1"}).allow_open_ray
    assert not read_settings({}, allow_open_ray=True).allow_open_ray
    assert not read_settings({ALLOW_OPEN_RAY: "0"}, allow_open_ray=True).allow_open_ray
    assert read_settings({ALLOW_OPEN_RAY: "1"}, allow_open_ray=True).allow_open_ray


_ADDRESS = "10.78.0.1"
_OWN_NETWORK = [
    "unshare", "--net", "sh", "-c",
    f'ip link set lo up && ip address add {_ADDRESS}/32 dev lo && exec "$@"', "sh",
]  # fmt: skip
"""Runs what follows in a network with one address that nobody else can reach."""


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"),
    reason="needs root, iproute2 and unshare for a network of its own",
)
def test_a_real_open_ray_works_for_those_who_insist_twice(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    environ = clean_environ(RAY_AUTH_MODE="disabled", DRMN_HOME=str(tmp_path / "home"))
    with serve_ray_head(environ, host=_ADDRESS, within=_OWN_NETWORK) as head:
        inside = ["nsenter", "--target", str(head.process.pid), "--net"]
        addresses = [head.gcs, head.client, head.dashboard]
        show = f"from orchestration.exposure import exposure; print(*map(exposure, {addresses}))"

        def found() -> list[str]:
            done = run_command(
                *inside, sys.executable, "-c", show, folder=tmp_path, environ=environ
            )
            return done.stdout.split()

        head.wait_until(lambda: found() == ["open", "open", "open"])
        command = [
            *inside, str(BIN / "drmn"), "data", "prepare", "--dataset", "mine", "--data-root", ".",
            "--image-size", "32", "--out", "prepared", "--ray-address", head.gcs,
        ]  # fmt: skip
        once = {**environ, ALLOW_OPEN_RAY: "1"}
        refused = run_command(*command, folder=tmp_path, environ=once)
        assert refused.returncode == 2
        assert "answers without a token" in refused.stderr
        done = run_command(*command, "--allow-open-ray", folder=tmp_path, environ=once)
        assert done.returncode == 0, done.stdout + done.stderr
