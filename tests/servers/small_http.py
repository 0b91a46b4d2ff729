"""HTTP servers of a few lines on loopback, which answer as the real ones do."""

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = tuple[int, bytes, dict[str, str]]
"""Status, body, headers."""
Answer = Callable[[BaseHTTPRequestHandler, bytes], Reply]
"""From a request and its body."""


@contextmanager
def serve_http(answer: Answer) -> Iterator[str]:
    """The server's URL, for the time of a ``with``."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content, headers = answer(self, body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def do_GET(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def log_message(self, *_given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class SmallMlflow:
    """Version, and basic auth with these logins; none: open to everybody."""

    version: str
    logins: dict[str, str] = field(default_factory=dict)

    def __call__(self, request: BaseHTTPRequestHandler, _body: bytes) -> Reply:
        if request.path == "/version":
            return 200, self.version.encode(), {}
        given = request.headers.get("Authorization", "Basic ").removeprefix("Basic ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        if self.logins and self.logins.get(user) != password:
            return 401, b"You are not authenticated.", {}
        return 200, b'{"experiments": []}', {}


@dataclass
class SmallBucket:
    """Objects by path; with ``keeps`` a deleted one stays, with ``refuses`` nothing is allowed."""

    keeps: bool = False
    refuses: bool = False
    objects: dict[str, Reply] = field(default_factory=dict)

    def __call__(self, request: BaseHTTPRequestHandler, body: bytes) -> Reply:
        path = request.path.partition("?")[0]
        if self.refuses:
            return 403, _error("AccessDenied"), {}
        if request.command == "PUT":
            kept = {k: v for k, v in request.headers.items() if k.lower().startswith("x-amz-meta-")}
            self.objects[path] = 200, body, kept
            return 200, b"", {}
        if request.command == "DELETE":
            if not self.keeps:
                self.objects.pop(path, None)
            return 204, b"", {}
        return self.objects.get(path, (404, _error("NoSuchKey"), {}))


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
