"""Who draws a sweep's configurations, as the user asked for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from search_spaces.domain import SearchSpace
from search_spaces.grid import grid


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


def preset_values(config: Config, space: SearchSpace) -> dict[str, Scalar]:
    """The configuration's own values of what is searched, where they lie in the space."""
    flat = config.flat()
    return {path: flat[path] for path, domain in space.items() if domain.contains(flat[path])}


def planned_trials(
    config: Config,
    space: SearchSpace,
    rule: SamplerRule,
    *,
    enqueued: Sequence[Mapping[str, Scalar]],
    paper_first: bool,
) -> list[Mapping[str, Scalar]]:
    """What is tried before a sampler that learns has its say; with the grid, everything.

    The preset's own values, then what was enqueued, then the grid; each once.

    Raises:
        ConfigError: the grid is too large.
    """
    wanted: list[Mapping[str, Scalar]] = [preset_values(config, space)] if paper_first else []
    wanted += enqueued
    if rule.name == SamplerName.GRID:
        wanted += grid(space, rule.grid_points)
    return list({tuple(sorted(values.items())): values for values in wanted if values}.values())
