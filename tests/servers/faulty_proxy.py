"""An HTTP proxy before a real object store that refuses, cuts and corrupts on demand."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding"}
_TIMEOUT_S = 30.0


class Fault(Enum):
    """What befalls a request: an answer of the store's own kind, or what a network does."""

    DENIED = (403, "AccessDenied", "Access Denied.")
    SLOW_DOWN = (503, "SlowDown", "Please reduce your request rate.")
    FULL = (507, "InsufficientStorage", "There is not enough space to store the object.")
    CUT_UPLOAD = "the connection ends when half of the request's body has come"
    CUT_DOWNLOAD = "the connection ends when half of the answer's body was sent"
    CORRUPT = "one byte of the answer's body is another"


@dataclass
class FaultyProxy:
    """``endpoint`` is its http URL; without faults everything passes as it is."""

    endpoint: str
    store: str
    num_requests: int = 0
    _fault: Fault | None = None
    _method: str = ""
    _part: str = ""
    _times: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def uri(self, uri: str) -> str:
        """The store's s3:// URI, by way of the proxy."""
        return uri.replace(
            self.store.removeprefix("http://"), self.endpoint.removeprefix("http://")
        )

    def fail(self, fault: Fault, method: str, *, times: int = 1_000_000, part: str = "") -> None:
        """Have ``fault`` befall the next ``times`` such requests with ``part`` in their URL."""
        with self._lock:
            self._fault, self._method, self._part, self._times = fault, method, part, times

    def heal(self) -> None:
        """No more faults."""
        with self._lock:
            self._times = 0

    def next_fault(self, method: str, path: str) -> Fault | None:
        """The fault of a request that has come."""
        with self._lock:
            self.num_requests += 1
            if not self._times or method != self._method or self._part not in path:
                return None
            self._times -= 1
            return self._fault


@contextmanager
def faulty_proxy(store: str) -> Iterator[FaultyProxy]:
    """A proxy before the store at the http URL ``store``, on a free loopback port."""

    class Handler(_Handler):
        proxy: FaultyProxy

    server = _Server(("127.0.0.1", 0), Handler)
    Handler.proxy = FaultyProxy(f"http://127.0.0.1:{server.server_port}", store)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Handler.proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_TIMEOUT_S)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves early is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_S
    proxy: FaultyProxy

    def _answer(self) -> None:
        fault = self.proxy.next_fault(self.command, self.path)
        length = int(self.headers.get("Content-Length", 0))
        if fault is Fault.CUT_UPLOAD:
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        body = self._chunked() if "Transfer-Encoding" in self.headers else self.rfile.read(length)
        if fault is not None and isinstance(fault.value, tuple):
            self._refuse(*fault.value)
            return
        self._forward(body, fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815

    def _refuse(self, status: int, code: str, message: str) -> None:
        content = (
            f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        )
        data = b"" if self.command == "HEAD" else content.encode()
        self._send(status, [("Content-Type", "application/xml")], data, len(data))

    def _forward(self, body: bytes, fault: Fault | None) -> None:
        connection = http.client.HTTPConnection(
            urlsplit(self.proxy.store).netloc, timeout=_TIMEOUT_S
        )
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            data = reply.read()
        finally:
            connection.close()
        headers = [h for h in reply.getheaders() if h[0].lower() not in _HOP_BY_HOP]
        length = int(reply.getheader("Content-Length", len(data)))
        if fault is Fault.CUT_DOWNLOAD:
            data, self.close_connection = data[: len(data) // 2], True
        if fault is Fault.CORRUPT and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        self._send(reply.status, headers, data, length)

    def _send(self, status: int, headers: list[tuple[str, str]], data: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(data)

    def _chunked(self) -> bytes:
        data = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return data

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""
