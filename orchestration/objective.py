"""What a sweep is judged by: which metrics may decide, and which way is better."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal

from drmn import names
from drmn.errors import ConfigError

MAX_OBJECTIVES = 2

AT_ANY_BETA = names.phased("val", names.GZSL_HARMONIC_AT_BETA_EXACT)
"""The objective that needs no beta: H at each epoch's own exact best."""

_AT_THE_TRIALS_BETA = tuple(
    names.phased("val", name) for name in (names.GZSL_HARMONIC, names.GZSL_SEEN, names.GZSL_UNSEEN)
)
_MAXIMISED = (
    *(names.phased("val", name) for name in (*names.SCORES, names.GZSL_AUSUC)),
    AT_ANY_BETA,
)
_MINIMISED = (
    names.LOSS_TOTAL,
    names.LOSS_ATTRIBUTE,
    names.LOSS_SELF_CALIBRATION,
    names.LOSS_GLOBAL,
    names.TIME_EPOCH_S,
    names.TIME_DATA_WAIT_SHARE,
    names.COST_GPU_HOURS,
)
KNOWN_OBJECTIVES = (*_MAXIMISED, *_MINIMISED)


def checked_objectives(objectives: Sequence[str]) -> tuple[str, ...]:
    """``objectives``, once each is a metric that trials log and that may decide.

    Raises:
        ConfigError: none, more than two, one twice, or an unknown one.
    """
    for name in objectives:
        if name not in KNOWN_OBJECTIVES:
            raise ConfigError(*_unknown(name))
    if not 1 <= len(set(objectives)) == len(objectives) <= MAX_OBJECTIVES:
        raise ConfigError(
            f"the objectives are {', '.join(objectives) or 'none'}, but must be one metric, or two "
            "different ones for a Pareto front"
        )
    return tuple(objectives)


def direction(objective: str) -> Literal["minimize", "maximize"]:
    """Optuna's word: losses, times and costs are minimised, scores maximised."""
    return "minimize" if objective in _MINIMISED else "maximize"


def gain(objective: str, metrics: Mapping[str, float]) -> float:
    """The objective's value in ``metrics``, turned so that higher is better."""
    value = metrics[objective]
    return -value if objective in _MINIMISED else value


def gains(objectives: Sequence[str], metrics: Mapping[str, float]) -> tuple[float, ...]:
    """:func:`gain` of each, in their order."""
    return tuple(gain(objective, metrics) for objective in objectives)


def needs_beta(objective: str) -> bool:
    """Whether its value depends on ``inference.beta``."""
    return objective in _AT_THE_TRIALS_BETA


def shown(objective: str, value: float) -> str:
    """Scores in per cent, everything else as it is."""
    return f"{100 * value:.1f} %" if objective in _MAXIMISED else f"{value:.4g}"


def _unknown(name: str) -> tuple[str, str]:
    if name.startswith("test/"):
        reason = "no test image may influence a choice"
    elif name == names.phased("val", names.BETA_EXACT):
        reason = "no value of beta is better than another by itself"
    else:
        reason = "trials log no such metric"
    close = difflib.get_close_matches(name, KNOWN_OBJECTIVES, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return (
        f"the objective is {name!r}, but {reason}",
        f"{hint}use one of: {', '.join(KNOWN_OBJECTIVES)}",
    )
