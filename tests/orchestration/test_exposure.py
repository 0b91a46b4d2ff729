"""Whether a Ray is open, asked of small servers that answer as Ray does."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import pytest
from ray_head import free_port

from drmn.errors import ConfigError
from orchestration.cluster import cluster
from orchestration.exposure import Exposure, exposure, is_loopback, refuse_open_ray
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


def test_openness_is_allowed_by_variable_and_option_together() -> None:
    assert not read_settings({ALLOW_OPEN_RAY: "1"}).allow_open_ray
    assert not read_settings({}, allow_open_ray=True).allow_open_ray
    assert not read_settings({ALLOW_OPEN_RAY: "0"}, allow_open_ray=True).allow_open_ray
    assert read_settings({ALLOW_OPEN_RAY: "1"}, allow_open_ray=True).allow_open_ray
