"""What a pruning rule is: pure decisions over reports, without clock, files or Ray."""

from dataclasses import dataclass, field
from typing import Protocol


class Rule(Protocol):
    """Decides from the reports so far; higher values are better.

    The same reports in the same order give the same decisions, which is what lets a killed sweep
    be taken up: its reports are played again. Every trial reports an epoch once.
    """

    max_epochs: int
    stopped: dict[str, int]
    """Trials told to stop before their last epoch, with the epoch that stopped them."""

    def goes_on(self, trial: str, epoch: int, value: float) -> bool:
        """Take note of ``value``; False if the trial is to be stopped."""


@dataclass(kw_only=True)
class NoPruning:
    """Every trial runs to its last epoch."""

    max_epochs: int
    stopped: dict[str, int] = field(default_factory=dict)

    def goes_on(self, trial: str, epoch: int, value: float) -> bool:
        """See Rule."""
        return epoch < self.max_epochs
