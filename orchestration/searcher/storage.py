"""Where Optuna keeps a sweep's study: an RDB, or a journal file beside the sweep."""

from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.exc import SQLAlchemyError

from drmn.errors import ConfigError

STUDY_FILE = "study.journal"
"""Name of the Optuna journal in a sweep's folder."""


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """The RDB at ``url``, or the journal file where there is no URL."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if url:
        try:
            return RDBStorage(_with_driver(url), engine_kwargs={"pool_pre_ping": True})
        except (ImportError, SQLAlchemyError, StorageInternalError) as error:
            raise _cannot_open(error) from error
    journal.parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(journal)))


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
