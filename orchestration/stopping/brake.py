"""The one thing that says whether a sweep is to end after its running epochs, and why."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import ClassVar

EXIT_SIGNALLED = 128
"""A process ended by signal n exits with this and n, as a shell has it."""
EXIT_INTERRUPTED = EXIT_SIGNALLED + signal.SIGINT
_KEEP_TUNES_HANDLER_OUT = "TUNE_DISABLE_SIGINT_HANDLER"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a polite end, a terminal that is closed."""
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


class StoppedNow(KeyboardInterrupt):
    """A signal to end at once; ``newest`` is the last that was made."""

    newest: ClassVar["StoppedNow | None"] = None

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = EXIT_SIGNALLED + number
        StoppedNow.newest = self


def exit_code_of(interrupt: KeyboardInterrupt) -> int:
    """That of the signal that ended the process.

    Where a signal comes while Ray waits in C++, Ray raises a KeyboardInterrupt of its own in place
    of the handler's :class:`StoppedNow`.
    """
    stopped = interrupt if isinstance(interrupt, StoppedNow) else StoppedNow.newest
    return stopped.exit_code if stopped else EXIT_INTERRUPTED


class Brake:
    """Pulled once; trials are then held up after their running epochs and can be continued.

    ``reason`` is "" while it is not pulled; ``exit_code`` is 0 where a budget pulled it, else
    that of the signal; ``held`` names the trials held up.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.exit_code = 0
        self.held: set[str] = set()

    @property
    def is_pulled(self) -> bool:
        """Whether nothing new is to be begun."""
        return bool(self.reason)

    def pull(self, reason: str, exit_code: int = 0) -> None:
        """End the sweep after the running epochs; a signal outweighs a spent budget."""
        self.reason, self.exit_code = reason, exit_code


@contextmanager
def heeding_signals(brake: Brake) -> Iterator[None]:
    """For the time of a ``with``, SIGINT, SIGTERM or SIGHUP pulls the brake; another ends it now.

    In a thread other than the main one nothing is changed; a SIGHUP that is ignored (`nohup`) stays
    ignored.

    Raises:
        StoppedNow: at the second signal, wherever the program is.
    """

    def heed(number: int, _: FrameType | None) -> None:
        if brake.exit_code:
            raise StoppedNow(number)
        brake.pull(signal.Signals(number).name, EXIT_SIGNALLED + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [each for each in _SIGNALS if each != signal.SIGHUP or not _is_ignored(each)]
    before = {number: signal.signal(number, heed) for number in heeded}
    os.environ[_KEEP_TUNES_HANDLER_OUT] = "1"
    try:
        yield
    finally:
        del os.environ[_KEEP_TUNES_HANDLER_OUT]
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ending_now() -> Iterator[None]:
    """:func:`end_now` for the time of a ``with``."""
    before = {each: signal.getsignal(each) or signal.SIG_DFL for each in _ENDINGS}
    end_now()
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def end_now() -> None:
    """From now on SIGTERM and SIGHUP end this process at once, in good order, as SIGINT does.

    In a thread other than the main one nothing is changed; a SIGHUP that is ignored stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _ENDINGS:
        if number != signal.SIGHUP or not _is_ignored(number):
            signal.signal(number, stop_now)


def _is_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) == signal.SIG_IGN


def stop_now(number: int, _: FrameType | None) -> None:
    """A handler for the time in which there is no epoch to wait for."""
    raise StoppedNow(number)
