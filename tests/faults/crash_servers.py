"""The servers that some of the matrix's operations write to: real ones, for the matrix's length."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mlflow_server import MlflowServer
from swift_server import serve_swift

MLFLOW, S3 = "mlflow", "s3"
SERVER_OF: Mapping[str, str] = {
    "spool": MLFLOW,
    "registry": MLFLOW,
    "publish": S3,
    "publish in parts": S3,
    "remote features": S3,
    "replaced features": S3,
    "remote checkpoint": S3,
}
"""The server that an operation needs, by the operation's name."""


@contextmanager
def serving(folder: Path, names: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """Addresses of the servers that the operations ``names`` need; of all where none is given."""
    needed = {SERVER_OF[name] for name in names or SERVER_OF if name in SERVER_OF}
    addresses = {}
    with ExitStack() as stack:
        if MLFLOW in needed:
            server = MlflowServer(folder)
            stack.callback(server.stop)
            server.start()
            addresses[MLFLOW] = server.uri
        if S3 in needed:
            addresses[S3] = stack.enter_context(serve_swift(folder / "swift")).endpoint
        yield addresses
