"""What a check says, and what one is."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from orchestration.settings import Settings


class Level(StrEnum):
    """Green, yellow, red."""

    GOOD = "good"
    WARNING = "warning"
    """It works, but not as well or as safely as it could."""
    BAD = "bad"
    """Something will fail, or is open to others."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line; what is not good has a remedy. No secret is ever part of it."""

    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Check:
    """Something to look at; ``limit_s`` is how long it may take, in seconds."""

    name: str
    look: Callable[[Settings], list[Finding]]
    limit_s: float = 10.0


def good(text: str) -> Finding:
    """Nothing to do."""
    return Finding(level=Level.GOOD, text=text)


def warning(text: str, remedy: str) -> Finding:
    """It can be better."""
    return Finding(level=Level.WARNING, text=text, remedy=remedy)


def bad(text: str, remedy: str) -> Finding:
    """It must be mended."""
    return Finding(level=Level.BAD, text=text, remedy=remedy)
