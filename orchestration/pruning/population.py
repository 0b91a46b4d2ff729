"""Population-based training on the loss weights: who takes over whose weights, and what changes.

Source: Jaderberg et al., Population Based Training of Neural Networks, 2017: truncation selection,
and exploration by perturbation; asynchronous, as each trial reports.
"""

from dataclasses import dataclass, field

from drmn.seeding import derive_seed
from search_spaces.paper import LAMBDA_GC, LAMBDA_SC

FACTORS = (0.8, 1.2)
_SHARE = 4


@dataclass(frozen=True, kw_only=True)
class Move:
    """After an epoch a trial goes on from ``donor``'s state after the same epoch.

    ``factors``: what the donor's loss weights of that epoch are multiplied by, by path.
    """

    donor: str
    factors: dict[str, float]


@dataclass(kw_only=True)
class PopulationBased:
    """Prunes nothing. Higher values are better.

    A trial that ends an epoch that ``interval`` divides, and not the last one, is compared with all
    that have ended it so far: if it is among the worst quarter (rounded up, and at most half), its
    donor is drawn from the best quarter. A donor gives what it had before any move of its own at
    that epoch; a trial that has moved there is nobody's donor there.

    What is drawn follows from ``seed``, the trial's name and the epoch. ``moves`` holds all
    decisions so far, by trial and epoch.
    """

    interval: int
    max_epochs: int
    seed: int
    stopped: dict[str, int] = field(default_factory=dict)
    moves: dict[tuple[str, int], Move] = field(default_factory=dict)
    values: dict[int, dict[str, float]] = field(default_factory=dict)

    def goes_on(self, trial: str, epoch: int, value: float) -> bool:
        """See Rule; where the epoch is one of comparison, ``moves`` may have a new entry after."""
        if epoch >= self.max_epochs:
            return False
        reached = self.values.setdefault(epoch, {})
        if epoch % self.interval == 0 and trial not in reached:
            reached[trial] = value
            self._compare(trial, epoch)
        return True

    def _compare(self, trial: str, epoch: int) -> None:
        reached = self.values[epoch]
        ranked = sorted(reached, key=lambda name: (reached[name], name))
        size = min(-(-len(ranked) // _SHARE), len(ranked) // 2)
        best = [name for name in ranked[len(ranked) - size :] if (name, epoch) not in self.moves]
        if trial not in ranked[:size] or not best or reached[best[-1]] <= reached[trial]:
            return
        factors = {
            path: FACTORS[self._draw(trial, epoch, path) % len(FACTORS)]
            for path in (LAMBDA_SC, LAMBDA_GC)
        }
        donor = best[self._draw(trial, epoch, "donor") % len(best)]
        self.moves[trial, epoch] = Move(donor=donor, factors=factors)

    def _draw(self, trial: str, epoch: int, what: str) -> int:
        return derive_seed(self.seed, "population", trial, epoch, what)
