"""A fresh database gets its tables once, however many processes open it at the same time."""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock
from mlflow.store.db.utils import _initialize_tables
from sqlalchemy import create_engine, make_url, text

from drmn.atomic import replacing
from orchestration.settings import Settings

_ADVISORY_LOCK = 0x6472_6D6E  # "drmn"
_CONNECT_TIMEOUT_S = 10


@contextlib.contextmanager
def migrated_once(settings: Settings) -> Iterator[None]:
    """Whoever is first inside creates MLflow's tables; the others find them.

    SQLite: a lock file in ``settings.home``. PostgreSQL: an advisory lock, which holds across
    hosts. A server migrates its own database.

    Raises:
        SQLAlchemyError: the database does not answer.
    """
    uri = settings.tracking_uri
    if uri.startswith("postgresql"):
        with _advisory_lock(uri):
            yield
    elif "://" in uri and not uri.startswith("http"):
        folder = settings.home if uri.startswith("sqlite") else Path(tempfile.gettempdir())
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".mlflow-{hashlib.sha256(uri.encode()).hexdigest()[:8]}.lock"):
            _make_whole(uri)
            yield
    else:
        yield


def _make_whole(uri: str) -> None:
    """A new SQLite file appears with all of its tables: half of them could never be opened."""
    name = make_url(uri).database
    if not uri.startswith("sqlite:") or not name or name == ":memory:" or Path(name).exists():
        return
    with replacing(Path(name)) as temporary:
        engine = create_engine(f"sqlite:///{temporary}")
        try:
            _initialize_tables(engine)
        finally:
            engine.dispose()


@contextlib.contextmanager
def _advisory_lock(uri: str) -> Iterator[None]:
    engine = create_engine(uri, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S})
    try:
        with engine.connect() as connection:
            key = {"key": _ADVISORY_LOCK}
            connection.execute(text("SELECT pg_advisory_lock(:key)"), key)
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
    finally:
        engine.dispose()
