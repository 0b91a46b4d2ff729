"""How many epochs a search trained until one reached a score; what never did is censored.

A search that ends without reaching the target has not taken infinitely long, nor as long as it
ran: all that is known is that it takes longer. Such a count is kept as a lower bound and marked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Epoch = tuple[str, float]
"""A trial's name and the score it had after one more epoch."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What one search spent until an epoch scored at least the target."""

    num_epochs: int
    num_trials: int  # begun until then
    reached: bool
    """If not, the counts are all that was spent: lower bounds."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Over several searches."""

    median: float
    median_is_bound: bool
    """The middle one never reached the target: its count is a lower bound."""
    lowest: int  # of those that reached the target, if any did
    highest: int
    highest_is_bound: bool
    num_censored: int


def reach(epochs: Sequence[Epoch], target: float) -> Reach:
    """``epochs`` in the order they ended, over all trials of one search."""
    trials: set[str] = set()
    for count, (trial, score) in enumerate(epochs, start=1):
        trials.add(trial)
        if score >= target:
            return Reach(num_epochs=count, num_trials=len(trials), reached=True)
    return Reach(num_epochs=len(epochs), num_trials=len(trials), reached=False)


def best(epochs: Sequence[Epoch]) -> float:
    """The highest score of all."""
    return max(score for _, score in epochs)


def spread(counts: Sequence[int], reached: Sequence[bool]) -> Spread:
    """Median and range; those that never reached the target count as the highest of all."""
    ordered = sorted(zip(counts, reached, strict=True), key=lambda pair: (not pair[1], pair[0]))
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    return Spread(
        median=sum(count for count, _ in middle) / len(middle),
        median_is_bound=not all(ended for _, ended in middle),
        lowest=ordered[0][0],
        highest=ordered[-1][0],
        highest_is_bound=not ordered[-1][1],
        num_censored=sum(not ended for ended in reached),
    )
