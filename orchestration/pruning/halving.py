"""Successive halving whose rungs count the trainer's epochs: ASHA, and Hyperband's brackets of it.

Sources: Li et al., A System for Massively Parallel Hyperparameter Tuning, 2020 (ASHA, stopping
variant; asynchronous Hyperband in its section 3.3); Li et al., Hyperband, 2018.
"""

from bisect import insort
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class SuccessiveHalving:
    """ASHA. Higher values are better.

    A trial that reaches rung r (epochs ``grace_period * reduction_factor^k``) goes on if its
    value is within the best ``1/reduction_factor`` of all values seen at r so far.
    """

    grace_period: int
    reduction_factor: int
    max_epochs: int
    rungs: dict[int, dict[str, float]] = field(default_factory=dict)
    stopped: dict[str, int] = field(default_factory=dict)
    _sorted: dict[int, list[float]] = field(default_factory=dict, init=False, repr=False)
    """Each rung's values, ascending: kept, since sorting them anew for each trial is quadratic."""

    def milestones(self) -> list[int]:
        """The rungs' epochs, ascending, all below ``max_epochs``."""
        epochs = []
        epoch = self.grace_period
        while epoch < self.max_epochs:
            epochs.append(epoch)
            epoch *= self.reduction_factor
        return epochs

    def goes_on(self, trial: str, epoch: int, value: float) -> bool:
        """See Rule; the value is noted where ``epoch`` is a rung."""
        if epoch >= self.max_epochs or trial in self.stopped:
            return False
        rung = self.rungs.setdefault(epoch, {}) if epoch in self.milestones() else None
        if rung is None or trial in rung:
            return True
        values = self._sorted.setdefault(epoch, sorted(rung.values()))
        rung[trial] = value
        insort(values, value)
        if value < self._cutoff(values):
            self.stopped[trial] = epoch
        return trial not in self.stopped

    def _cutoff(self, ascending: list[float]) -> float:
        """The worst value that still belongs to the best 1/reduction_factor (at least one)."""
        return ascending[-max(1, len(ascending) // self.reduction_factor)]


class Hyperband:
    """Asynchronous Hyperband: ASHA at several grace periods, each with a share of the trials.

    Bracket s has the grace period ``grace_period * reduction_factor^s``, from ASHA's own (s = 0)
    to one rung below ``max_epochs``, and a last bracket that never prunes. A trial's bracket
    follows from its number alone: numbers go round in the proportions that give every bracket
    about the same number of epochs.

    Raises:
        ValueError: a trial's name is not a number.
    """

    def __init__(self, *, grace_period: int, reduction_factor: int, max_epochs: int) -> None:
        self.max_epochs = max_epochs
        self.stopped: dict[str, int] = {}
        whole = SuccessiveHalving(
            grace_period=grace_period, reduction_factor=reduction_factor, max_epochs=max_epochs
        )
        self.brackets = [
            SuccessiveHalving(
                grace_period=epoch,
                reduction_factor=reduction_factor,
                max_epochs=max_epochs,
                stopped=self.stopped,
            )
            for epoch in [*whole.milestones(), max_epochs]
        ]
        self._round = _dealt([len(b.milestones()) + 1 for b in self.brackets], reduction_factor)

    def bracket(self, trial: str) -> int:
        """The bracket of a trial, from 0, which prunes earliest."""
        return self._round[int(trial) % len(self._round)]

    def goes_on(self, trial: str, epoch: int, value: float) -> bool:
        """See Rule."""
        return self.brackets[self.bracket(trial)].goes_on(trial, epoch, value)


def _dealt(num_levels: list[int], reduction_factor: int) -> list[int]:
    """One round of brackets, earliest-pruning first and mixed.

    Of a bracket with k rungs and a last epoch, Hyperband starts ``ceil((K / k) * eta^(k - 1))``
    trials, K being the largest k; here divided by the smallest number, and at most 16 a bracket
    so that a round is over within a sweep.
    """
    most = num_levels[0]
    counts = [-(-most * reduction_factor ** (k - 1) // k) for k in num_levels]
    shares = [max(1, min(16, round(count / min(counts)))) for count in counts]
    places = [((i + 0.5) / n, bracket) for bracket, n in enumerate(shares) for i in range(n)]
    return [bracket for _, bracket in sorted(places)]
