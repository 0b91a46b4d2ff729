"""Which pruner a sweep has, and its settings."""

from dataclasses import dataclass
from enum import StrEnum

from drmn.errors import ConfigError


class Pruner(StrEnum):
    """What stops trials early; see :mod:`orchestration.pruning`."""

    ASHA = "asha"
    HYPERBAND = "hyperband"
    MEDIAN = "median"
    PBT = "pbt"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class PruningRule:
    """A pruner's settings; epochs are the trainer's own.

    ``reduction_factor`` is of ASHA and Hyperband, ``min_samples`` of median stopping; with
    population-based training ``grace_period`` is the number of epochs between comparisons.
    """

    pruner: Pruner = Pruner.ASHA
    grace_period: int = 2
    reduction_factor: int = 2
    min_samples: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "pruner", _pruner(self.pruner))
        for name, low in (("grace_period", 1), ("reduction_factor", 2), ("min_samples", 1)):
            value = getattr(self, name)
            if value < low:
                raise ConfigError(f"the value of `{name}` is {value!r}, but must be >= {low}")


def _pruner(name: str) -> Pruner:
    try:
        return Pruner(name)
    except ValueError as error:
        raise ConfigError(
            f"the value of `pruner` is {name!r}, but must be one of {', '.join(Pruner)}"
        ) from error
