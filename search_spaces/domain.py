"""The three kinds of domain a hyperparameter can have. Pure data: no sampler lives here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Uniform:
    """A real number in [low, high]."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range("Uniform", self.low, self.high)

    def contains(self, value: Scalar) -> bool:
        return _is_number(value) and self.low <= value <= self.high

    def at(self, share: float) -> Scalar:
        """The value below which ``share`` of the domain lies; in [0, 1]."""
        return min(self.low + share * (self.high - self.low), self.high)

    def grid(self, num_points: int) -> list[Scalar]:
        """``num_points`` evenly spaced values, both ends included; the middle where it is one."""
        return [self.at(share) for share in _shares(num_points)]


@dataclass(frozen=True, kw_only=True)
class LogUniform:
    """A positive real number in [low, high], uniform in its logarithm."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range("LogUniform", self.low, self.high)
        if self.low <= 0:
            raise ConfigError(f"the value of `low` of LogUniform is {self.low!r}, but must be > 0")

    def contains(self, value: Scalar) -> bool:
        return _is_number(value) and self.low <= value <= self.high

    def at(self, share: float) -> Scalar:
        """The value below which ``share`` of the domain lies, in its logarithm; in [0, 1]."""
        return min(max(self.low * math.pow(self.high / self.low, share), self.low), self.high)

    def grid(self, num_points: int) -> list[Scalar]:
        """``num_points`` values of equal ratio, both ends included; the middle where it is one."""
        return [self.at(share) for share in _shares(num_points)]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of a few values, without order."""

    options: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if not self.options:
            raise ConfigError("the value of `options` of Choice is (), but must not be empty")

    def contains(self, value: Scalar) -> bool:
        return value in self.options

    def at(self, share: float) -> Scalar:
        """The option at ``share`` of the way; in [0, 1]."""
        return self.options[min(int(share * len(self.options)), len(self.options) - 1)]

    def grid(self, num_points: int) -> list[Scalar]:  # noqa: ARG002
        """Every option, however many points the other domains take."""
        return list(self.options)


Domain = Uniform | LogUniform | Choice
SearchSpace = Mapping[str, Domain]
"""Configuration path -> domain."""


def checked(space: SearchSpace) -> SearchSpace:
    """``space``, once every path is a setting and both ends of every domain are valid for it.

    Raises:
        ConfigError: an unknown path, or a domain that reaches outside the setting's range.
    """
    for path, domain in space.items():
        ends = domain.options if isinstance(domain, Choice) else (domain.low, domain.high)
        for value in ends:
            Config().with_overrides({path: value})
    return space


def _is_number(value: Scalar) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shares(num_points: int) -> list[float]:
    if num_points == 1:
        return [0.5]
    return [k / (num_points - 1) for k in range(num_points)]


def _check_range(kind: str, low: float, high: float) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"{kind} has low={low!r} and high={high!r}, but low < high must hold")
