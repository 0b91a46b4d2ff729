"""A line now and then: how much is done and about how long the rest takes."""

import time


class ProgressLines:
    """Counts to ``total``; prints at most every ``every_s`` seconds, and at the end."""

    def __init__(self, name: str, total: int, *, every_s: float = 10.0) -> None:
        self._name = name
        self._total = total
        self._every_s = every_s
        self._done = 0
        self._started = self._printed = time.monotonic()

    def one_more(self, text: str = "") -> None:
        """Another one is done; ``text`` is about it."""
        self._done += 1
        now = time.monotonic()
        if now - self._printed < self._every_s and self._done < self._total:
            return
        self._printed = now
        left_s = (now - self._started) / self._done * (self._total - self._done)
        counts = f"{self._name}: {self._done} of {self._total}"
        print(f"{counts}, about {left_s / 60:.1f} min left  {text}", flush=True)
