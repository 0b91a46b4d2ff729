"""The one thing that says whether a sweep is to end after its running epochs, and why."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_SIGNALLED = 128
"""A process ended by signal n exits with this and n, as a shell has it."""
EXIT_INTERRUPTED = EXIT_SIGNALLED + signal.SIGINT
_KEEP_TUNES_HANDLER_OUT = "TUNE_DISABLE_SIGINT_HANDLER"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedNow(KeyboardInterrupt):
    """A second SIGINT or SIGTERM: end at once."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = EXIT_SIGNALLED + number


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
    """For the time of a ``with``, SIGINT or SIGTERM pulls the brake; another one ends it now.

    In a thread other than the main one nothing is changed.

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
    before = {number: signal.signal(number, heed) for number in _SIGNALS}
    os.environ[_KEEP_TUNES_HANDLER_OUT] = "1"
    try:
        yield
    finally:
        del os.environ[_KEEP_TUNES_HANDLER_OUT]
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_now(number: int, _: FrameType | None) -> None:
    """A handler for the time in which there is no epoch to wait for."""
    raise StoppedNow(number)
