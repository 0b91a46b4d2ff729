"""PostgreSQL with a data folder of the stack's own."""

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg

from drmn_local.places import USER, Places, write_private
from drmn_local.processes import Daemon, StackError

DATABASES = ("mlflow", "mlflow_auth", "optuna")
_SYSTEM_USER = "postgres"
_SYSTEM_HOME = Path("/var/lib/postgresql")


@dataclass(frozen=True)
class Postgres:
    """The server never runs as root, which it refuses: root starts it as Debian's user for it."""

    places: Places

    @property
    def daemon(self) -> Daemon:
        return Daemon("postgres", self.places)

    @property
    def data(self) -> Path:
        """Root's is below that user's own home, since folders of root's are closed to it."""
        if not _is_root():
            return self.places.root / "postgres"
        name = hashlib.sha256(str(self.places.root).encode()).hexdigest()[:12]
        return _SYSTEM_HOME / f"drmn-local-{name}"

    def uri(self, database: str, port: int) -> str:
        """SQLAlchemy's, without the password: libpq reads that from a file."""
        passfile = self.places.password_file
        return f"postgresql+psycopg://{USER}@127.0.0.1:{port}/{database}?passfile={passfile}"

    def start(self, port: int, password: str) -> None:
        """Initialise the data folder if there is none; start; make the databases."""
        write_private(self.places.password_file, f"127.0.0.1:*:*:{USER}:{password}\n")
        if not (self.data / "PG_VERSION").exists():
            self._initialise(password)
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        user = _SYSTEM_USER if _is_root() else None
        self.daemon.start([_program("postgres"), "-D", str(self.data), *options], _plain(), user)
        self.daemon.await_answer(lambda: self._answers(port))
        self._make_databases(port)

    def stop(self) -> bool:
        """As ``pg_ctl stop -m fast``: open transactions are rolled back."""
        return self.daemon.stop(signal.SIGINT)

    def delete(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)

    def _initialise(self, password: str) -> None:
        self.delete()
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", suffix=".password") as file:
            file.write(password)
            file.flush()
            if _is_root():
                owner = pwd.getpwnam(_SYSTEM_USER)
                for path in (self.data, Path(file.name)):
                    os.chown(path, owner.pw_uid, owner.pw_gid)
            self._initdb(file.name)

    def _initdb(self, password_file: str) -> None:
        command = [_program("initdb"), "--pgdata", str(self.data), "--username", USER]
        command += ["--pwfile", password_file, "--auth", "scram-sha-256", "--encoding", "UTF8"]
        command += ["--no-locale"]
        done = subprocess.run(
            command,
            env=_plain(),
            user=_SYSTEM_USER if _is_root() else None,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StackError(f"initdb failed: {done.stderr.strip()}")

    def _answers(self, port: int) -> bool:
        try:
            self._connect(port).close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_databases(self, port: int) -> None:
        with self._connect(port) as connection:
            there = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
            for name in DATABASES:
                if name not in there:
                    connection.execute(f"CREATE DATABASE {name}")

    def _connect(self, port: int) -> psycopg.Connection[tuple[str]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=USER,
            dbname="postgres",
            passfile=str(self.places.password_file),
            connect_timeout=5,
            autocommit=True,
        )


def postgres_binaries() -> Path | None:
    """The folder of initdb and postgres: Debian's newest, or PATH's."""
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(debian, key=lambda path: float(path.parts[-3]), default=None)
    found = shutil.which("initdb") if newest is None else newest
    return Path(found).resolve().parent if found else None


def _program(name: str) -> str:
    folder = postgres_binaries()
    if folder is None:
        raise StackError(
            "PostgreSQL's server is not installed\n"
            "  to mend: on Debian: apt-get install postgresql-15"
        )
    return str(folder / name)


def _is_root() -> bool:
    return os.geteuid() == 0


def _plain() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
