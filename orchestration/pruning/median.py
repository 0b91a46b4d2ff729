"""Median stopping: a trial that falls behind the others' averages is stopped.

Source: Golovin et al., Google Vizier, 2017, section 3.2.2.
"""

from dataclasses import dataclass, field
from statistics import fmean, median


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

    def goes_on(self, trial: str, epoch: int, value: float) -> bool:
        """See Rule."""
        if epoch >= self.max_epochs or trial in self.stopped:
            return False
        own = self.values.setdefault(trial, {})
        own[epoch] = value
        if epoch >= self.grace_period and self._is_behind(trial, epoch):
            self.stopped[trial] = epoch
        return trial not in self.stopped

    def _is_behind(self, trial: str, epoch: int) -> bool:
        averages = [
            fmean(value for at, value in values.items() if at <= epoch)
            for other, values in self.values.items()
            if other != trial and epoch in values
        ]
        if len(averages) < self.min_samples:
            return False
        return max(self.values[trial].values()) < median(averages)
