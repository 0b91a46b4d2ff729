"""Who draws a sweep's configurations, as the user asked for it."""

from dataclasses import dataclass
from enum import StrEnum

from drmn.errors import ConfigError


class SamplerName(StrEnum):
    """Tree-structured Parzen estimators, Gaussian process, and three that do not learn."""

    TPE = "tpe"
    GP = "gp"
    RANDOM = "random"
    GRID = "grid"
    QMC = "qmc"


def check_word(name: str, value: str, words: tuple[str, ...]) -> None:
    """Raise ConfigError where ``value`` is none of ``words``."""
    if value not in words:
        raise ConfigError(
            f"the value of `{name}` is {value!r}, but must be one of {', '.join(words)}"
        )


@dataclass(frozen=True, kw_only=True)
class SamplerRule:
    """Who draws the configurations; ``grid_points`` is read by the grid alone."""

    name: SamplerName = SamplerName.TPE
    grid_points: int = 3
    """Values per range of the grid; a choice always gives all of its options."""

    def __post_init__(self) -> None:
        check_word("sampler", self.name, tuple(SamplerName))
        if self.grid_points < 1:
            raise ConfigError(
                f"the value of `grid_points` is {self.grid_points!r}, but must be >= 1"
            )
