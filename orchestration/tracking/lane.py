"""The thread that empties a spool: in order, as often as it takes."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.tracking.names import OutageError, WaitingError
from orchestration.tracking.spool import Spool

logger = logging.getLogger(__name__)

Deliver = Callable[[Sequence[dict[str, Any]]], None]
"""Takes events in order; raises OutageError where none of what is left can be taken now."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Seconds: how long events are gathered, and between attempts while the server is away.

    Gathering is for the short trials: a transaction for each of their epochs would cost more than
    all else that MLflow does for them.
    """

    gather_s: float = 1.0
    first_retry_s: float = 0.5
    last_retry_s: float = 30.0

    def retry_s(self, num_failures: int) -> float:
        """Doubling from the first to the last, less a random quarter."""
        delay = min(self.first_retry_s * 2.0 ** min(num_failures - 1, 20), self.last_retry_s)
        return delay * random.uniform(0.75, 1.0)


class Lane:
    """Delivers ``spool`` through ``deliver`` until it is stopped; what is left stays on disk."""

    def __init__(self, spool: Spool, deliver: Deliver, pace: Pace, name: str) -> None:
        self._spool = spool
        self._deliver = deliver
        self._pace = pace
        self._hurry, self._stopped = threading.Event(), threading.Event()
        self.trouble = ""
        """Why the last attempt failed; "" after one that did not."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def hurry(self) -> None:
        """Gather no longer, and try again at once."""
        self._hurry.set()

    def stop(self, timeout_s: float) -> bool:
        """End after the attempt that is under way; whether it ended in time."""
        self._stopped.set()
        self._hurry.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        num_failures = 0
        while not self._stopped.is_set():
            if not self._spool.wait(0.2):
                continue
            self._hurry.wait(self._pace.gather_s)
            if self._attempt():
                num_failures = 0
                continue
            num_failures += 1
            self._wait(self._pace.retry_s(num_failures))

    def _attempt(self) -> bool:
        try:
            window = self._spool.read()
            self._deliver(window.events)
            self._spool.acknowledge(window)
        except WaitingError as error:
            self.trouble = error.message
        except (OutageError, OSError) as error:  # of the server, or of the spool's own disk
            reason = error.message if isinstance(error, OutageError) else str(error)
            if not self.trouble:
                logger.warning("%s; events are kept on disk and sent later", reason)
            self.trouble = reason
        else:
            self.trouble = ""
        return not self.trouble

    def _wait(self, seconds: float) -> None:
        if self._hurry.is_set():
            self._stopped.wait(min(seconds, 1.0))
        else:
            self._hurry.wait(seconds)
