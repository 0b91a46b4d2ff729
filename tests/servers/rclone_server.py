"""`rclone serve s3` over a folder: a second implementation of S3, by others than Swift's."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drmn_local.processes import free_port

ACCESS_KEY, SECRET_KEY = "rclone-tester", "canary-of-rclone-0b83d4"
BUCKET = "drmn"
_START_TIMEOUT_S = 30.0


def rclone_binary() -> Path | None:
    """Beside this Python, or on PATH."""
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    return Path(found) if found else None


@contextmanager
def serve_rclone(binary: Path, folder: Path) -> Iterator[str]:
    """The http URL of a running server, stopped by process id; the bucket is a folder."""
    (folder / "data" / BUCKET).mkdir(parents=True)
    port = free_port()
    command = [str(binary), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--config", "/dev/null"]
    command += ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", str(folder / "data")]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not _listens(port):
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
