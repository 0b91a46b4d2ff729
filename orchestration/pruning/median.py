"""Median stopping: a trial that falls behind the others' averages is stopped.

Source: Golovin et al., Google Vizier, 2017, section 3.2.2.
"""

from bisect import insort
from dataclasses import dataclass, field
from statistics import fmean


@dataclass(kw_only=True)
class MedianStopping:
    """Stops a trial whose best value so far is below the median of the others' running averages.

    At epoch e, from ``grace_period`` on and before the last: the running average of another trial
    is the mean of its values over epochs 1 to e; only trials that have reached e count, and at
    least ``min_samples`` of them must have. Higher values are better.
    """

    grace_period: int
    min_samples: int
    max_epochs: int
    stopped: dict[str, int] = field(default_factory=dict)
    values: dict[str, dict[int, float]] = field(default_factory=dict)
    _averages: dict[int, list[float]] = field(default_factory=dict, init=False, repr=False)
    """By epoch: the running averages of those that reached it, ascending."""

    def goes_on(self, trial: str, epoch: int, value: float) -> bool:
        """See Rule."""
        if epoch >= self.max_epochs or trial in self.stopped:
            return False
        own = self.values.setdefault(trial, {})
        if epoch in own:
            return True
        own[epoch] = value
        averages = self._averages.setdefault(epoch, [])
        is_judged = epoch >= self.grace_period and len(averages) >= self.min_samples
        if is_judged and max(own.values()) < _median(averages):
            self.stopped[trial] = epoch
        insort(averages, fmean(own.values()))
        return trial not in self.stopped


def _median(ascending: list[float]) -> float:
    """Of at least one value; statistics.median would sort them again."""
    middle, is_odd = divmod(len(ascending), 2)
    return ascending[middle] if is_odd else (ascending[middle - 1] + ascending[middle]) / 2
