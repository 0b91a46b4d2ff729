"""A real PostgreSQL of the tests' own: a folder, a free loopback port, a password."""

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drmn_local.processes import free_port

_USER = "drmn"
_UNPRIVILEGED = "nobody"  # the server refuses to run as root


@contextmanager
def serve_postgres(binaries: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """The URL of a running server; it is stopped and its folder removed at the end.

    Whoever reaches ``host`` may log in with the password.
    """
    folder = Path(tempfile.mkdtemp(prefix="drmn-postgres-"))
    password = secrets.token_hex(16)
    try:
        (folder / "password").write_text(password)
        if os.geteuid() == 0:
            account = pwd.getpwnam(_UNPRIVILEGED)
            for path in (folder, folder / "password"):
                os.chown(path, account.pw_uid, account.pw_gid)
        port = free_port()
        _run(
            folder,
            *(binaries / "initdb", "--pgdata", folder / "data", "--username", _USER, "--no-sync"),
            *("--pwfile", folder / "password", "--auth", "scram-sha-256", "--encoding", "UTF8"),
        )
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet scram-sha-256\n")
        options = f"-c listen_addresses={host} -c port={port} -c unix_socket_directories={folder}"
        control = (binaries / "pg_ctl", "--pgdata", folder / "data", "--wait", "--timeout", "30")
        _run(folder, *control, "--log", folder / "log", "--options", options, "start")
        try:
            yield f"postgresql://{_USER}:{password}@{host}:{port}/postgres"
        finally:
            _run(folder, *control, "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _run(folder: Path, *command: str | Path) -> None:
    with (folder / "output").open("w") as output:
        done = subprocess.run(
            command,
            cwd=folder,
            user=_UNPRIVILEGED if os.geteuid() == 0 else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, (folder / "output").read_text()
