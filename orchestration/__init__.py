"""Ray Tune, Optuna, MLflow and the command line around drmn.

``Sweep`` is what a notebook needs; it is imported when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.python_sweep import Sweep

__all__ = ["Sweep"]


def __getattr__(name: str) -> Any:
    if name != "Sweep":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orchestration.entry_points import loaded

    return loaded("orchestration.python_sweep").Sweep
