"""What a command that failed says: a message for what a user can cause, a log for what is a bug."""

import datetime as dt
import os
import sys
import traceback
from pathlib import Path
from tempfile import gettempdir
from types import TracebackType

from rich.markup import escape

from drmn.errors import ConfigError, DataError, DrmnError
from drmn.places import without_password
from orchestration.settings import read_settings
from orchestration.stopping.brake import exit_code_of
from orchestration.terminal.exits import EXIT_FAILED, EXIT_MISTAKE
from orchestration.terminal.manner import error_console, manner

_MAX_SHOWN = 4_000
"""Characters of a message."""


def tell_error(error: DrmnError) -> int:
    """Show what, why and how to mend it; the exit code.

    An error with an ``exit_code`` of its own is no failure: it says how to go on.
    """
    own: int | None = getattr(error, "exit_code", None)
    mark = "" if own is not None else "[bold red]error:[/] "
    error_console().print(f"{mark}{escape(_shortened(str(error)))}", highlight=False)
    if manner().verbose:
        error_console().print(escape(_trace(error)), highlight=False)
    if own is not None:
        return own
    return EXIT_MISTAKE if isinstance(error, ConfigError | DataError) else EXIT_FAILED


def tell_interrupt(error: KeyboardInterrupt) -> int:
    """The exit code: the signal's."""
    error_console().print("interrupted")
    return exit_code_of(error)


def tell_unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A hook for :data:`sys.excepthook`: one line and a log; the traceback with ``-v``."""
    text = without_password("".join(traceback.format_exception(kind, error, trace)))
    console = error_console()
    console.print(
        f"[bold red]unexpected error:[/] {escape(_summary(kind, error))}", highlight=False
    )
    place = _keep(text)
    if manner().verbose or place is None:
        console.print(escape(text), highlight=False)
    if place is not None:
        console.print(f"  the whole of it: {place} (or give -v)", highlight=False, markup=False)


def _summary(kind: type[BaseException], error: BaseException) -> str:
    first = without_password(str(error).strip().partition("\n")[0])
    return f"{kind.__name__}: {first}" if first else kind.__name__


def _shortened(text: str) -> str:
    """What a terminal can show: a value that was given may be endless."""
    half = _MAX_SHOWN // 2
    return text if len(text) <= _MAX_SHOWN else f"{text[:half]} ... {text[-half:]}"


def _trace(error: BaseException) -> str:
    return without_password("".join(traceback.format_exception(error)))


def _keep(text: str) -> Path | None:
    """The log's file, readable by its owner alone; None where nothing can be written."""
    name = f"{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}-{os.getpid()}.log"
    for folder in (_log_folder(), Path(gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"drmn-{name}"
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as log:
                log.write(f"{without_password(' '.join(sys.argv))}\n\n{text}")
        except OSError:
            continue
        return path
    return None


def _log_folder() -> Path:
    try:
        return read_settings().home / "logs"
    except ConfigError:
        return Path(gettempdir())
