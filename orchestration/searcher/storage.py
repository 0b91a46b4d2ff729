"""Where Optuna keeps a sweep's study: an RDB, or a journal file beside the sweep."""

from io import FileIO
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from sqlalchemy.exc import SQLAlchemyError

from drmn.atomic import cut_partial_line
from drmn.errors import ConfigError
from drmn.reading import reading

STUDY_FILE = "study.journal"
"""Name of the Optuna journal in a sweep's folder."""


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """The RDB at ``url``, or the journal file where there is no URL.

    Raises:
        ConfigError: the database cannot be opened.
        DataError: the journal is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url:
        try:
            return RDBStorage(_with_driver(url), engine_kwargs={"pool_pre_ping": True})
        except (ImportError, SQLAlchemyError, StorageInternalError) as error:
            raise _cannot_open(error) from error
    journal.parent.mkdir(parents=True, exist_ok=True)
    remedy = "restore it from a copy, or begin the sweep anew under another --name"
    with reading(journal, "a journal of Optuna's", remedy):
        return JournalStorage(JournalFileBackend(str(journal), WholeLinesLock(journal)))


class WholeLinesLock(JournalFileSymlinkLock):
    """Held while a process appends to ``journal``, and gone with that process.

    Optuna's own lock is a file that a killed process leaves behind: the next one then waits for
    30 s. Nor does Optuna remove a line that was cut short; the next one would be glued to it and
    the journal could never be read again.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal
        self._lock = FileLock(journal.with_name(f"{journal.name}.held"))

    def acquire(self) -> bool:
        """Optuna's hook, before each append."""
        self._lock.acquire()
        with FileIO(self._journal, "a+") as file:
            cut_partial_line(file)
        return True

    def release(self) -> None:
        """Optuna's hook."""
        self._lock.release()


def schema_versions(url: str, timeout_s: int) -> tuple[str, str]:
    """Of the tables at ``url``, and of this Optuna; tables are made where there are none.

    Raises:
        ConfigError: it does not answer in time.
    """
    limit = {} if url.startswith("sqlite") else {"connect_timeout": timeout_s}
    try:
        storage = RDBStorage(
            _with_driver(url), engine_kwargs={"connect_args": limit}, skip_compatibility_check=True
        )
        return storage.get_current_version(), storage.get_head_version()
    except (ImportError, SQLAlchemyError, StorageInternalError) as error:
        raise _cannot_open(error) from error


def _cannot_open(error: Exception) -> ConfigError:
    return ConfigError(
        f"the study storage cannot be opened: {type(error).__name__}",
        "check DRMN_STUDY_STORAGE, its server and that its driver is installed",
    )


def close_storage(storage: BaseStorage) -> None:
    """Give back an RDB's connections now, not whenever Python collects them."""
    if isinstance(storage, RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def _with_driver(url: str) -> str:
    """PostgreSQL through psycopg 3 unless the URL names another driver."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else url
