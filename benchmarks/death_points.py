"""Places where a driver can die: around each thing it writes, in the order in which it does.

Whoever arms them is asked at each place; it may raise :class:`Killed`, after which nothing of the
driver counts. What counts is a copy of the disk as it was at that place.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from orchestration.tracking.server import Server
from orchestration.tracking.spool import Spool

REQUESTS = ("create", "log", "set_running", "close", "log_dataset")
_LOCKS = "*.lock"
"""Of processes that are gone, and with them what they held."""


class Killed(BaseException):
    """The driver is dead."""


Asked = Callable[[str], None]
"""Told where the driver is; raises what befalls it there."""


@contextmanager
def death_points(asked: Asked) -> Iterator[None]:
    """For the time of a ``with``, ask around each sync, spooled event and request to MLflow."""
    real_fsync, real_write = os.fsync, Spool._write
    real_requests = {name: getattr(Server, name) for name in REQUESTS}

    def synced(file: int) -> None:  # no power is cut here: the write before it is what counts
        asked("after a sync")

    def written(spool: Spool, line: bytes, **how: bool) -> None:
        asked("before an event")
        real_write(spool, line, **how)
        asked("after an event")

    def around(name: str) -> Callable[..., Any]:
        def request(*arguments: Any, **named: Any) -> Any:
            asked(f"before {name}")
            answer = real_requests[name](*arguments, **named)
            asked(f"after {name}")
            return answer

        return request

    os.fsync, Spool._write = synced, written  # type: ignore[method-assign]
    for name in REQUESTS:
        setattr(Server, name, around(name))
    try:
        yield
    finally:
        os.fsync, Spool._write = real_fsync, real_write  # type: ignore[method-assign]
        for name, real in real_requests.items():
            setattr(Server, name, real)


def copy_of(home: Path, copy: Path) -> None:
    """What is on the disk now, without the locks of processes."""
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns(_LOCKS))


def forget(home: Path) -> None:
    """Give back MLflow's connections to the database in ``home``, and all files there."""
    engine = SqlAlchemyStore._engine_map.pop(f"sqlite:///{home}/mlflow.db", None)
    if engine is not None:
        engine.dispose()
    shutil.rmtree(home, ignore_errors=True)
