"""DRMN: Dual Relation Mining Network for zero-shot learning.

The names below are what a notebook needs (:mod:`drmn.api`). Each is imported when it is first
asked for, so that ``import drmn`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drmn.api import Trained, evaluate, load_dataset, train
    from drmn.config import Config
    from drmn.model.network import DRMN
    from drmn.presets import preset

__all__ = ["DRMN", "Config", "Trained", "evaluate", "load_dataset", "preset", "train"]

_HOMES = {
    "DRMN": "drmn.model.network",
    "Config": "drmn.config",
    "Trained": "drmn.api",
    "evaluate": "drmn.api",
    "load_dataset": "drmn.api",
    "preset": "drmn.presets",
    "train": "drmn.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
