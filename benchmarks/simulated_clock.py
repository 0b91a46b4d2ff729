"""The clock of a simulation that a real driver takes part in, and what happened by it.

It runs with the real one, so that whatever the driver computes costs its trials the same time as
on a cluster; where the driver has nothing to do, it jumps to the next event. What a worker would
compute stops it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class SimulatedClock:
    """Seconds: the real clock's, and all that was skipped."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self.skipped_s = 0.0
        """In which the driver had nothing to do."""

    def now_s(self) -> float:
        """Now, by this clock."""
        return time.monotonic() + self._ahead_s

    def skip_to(self, due_s: float) -> None:
        """Be there; a time that is past changes nothing."""
        skipped_s = max(0.0, due_s - self.now_s())
        self._ahead_s += skipped_s
        self.skipped_s += skipped_s

    def add(self, seconds: float) -> None:
        """Count what the driver would have spent on what is left out here."""
        self._ahead_s += seconds

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Leave out what a worker, not the driver, computes."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._ahead_s -= time.monotonic() - started


@dataclass(kw_only=True)
class Record:
    """What happened, in seconds of the simulated clock."""

    epochs: list[tuple[float, float]] = field(default_factory=list)
    """Start and end of each."""
    late_s: dict[str, list[float]] = field(default_factory=dict)
    """By method: how long after its end each event was taken up."""
    handling_s: dict[str, list[float]] = field(default_factory=dict)
    """By method: how long the driver then worked on it."""
    between_s: list[float] = field(default_factory=list)
    """How long the driver worked from one event's end to where it waits for the next."""
    idle: list[tuple[float, float]] = field(default_factory=list)
    """At each event: the time, and for how long the driver had been idle in all until then."""
    ask_s: list[float] = field(default_factory=list)
    """How long the searcher took for each new trial."""
    trial_starts: list[float] = field(default_factory=list)
    num_actors_made: int = 0
    num_fsyncs: int = 0
    most_live: int = 0
