"""Loss weights that change between epochs, written as one setting (``loss.schedule``).

``"3:lambda_sc=0.08,lambda_gc=0.5;6:lambda_gc=0.4"`` means: from epoch 3 on these two, from epoch 6
on another lambda_GC; before, ``loss.lambda_sc`` and ``loss.lambda_gc``. Nothing here needs torch.
"""

import math
from collections.abc import Mapping

from drmn.errors import ConfigError

WEIGHTS = ("lambda_sc", "lambda_gc")


def parse_schedule(text: str) -> dict[int, dict[str, float]]:
    """First epoch of each change -> the weights it sets.

    Raises:
        ConfigError: it does not read as the module says, or a weight is negative or infinite.
    """
    try:
        steps = [_step(part) for part in text.split(";")] if text else []
    except ValueError as error:
        raise _unreadable(text) from error
    epochs = [epoch for epoch, _ in steps]
    if epochs != sorted({epoch for epoch in epochs if epoch > 1}):
        raise _unreadable(text)
    if any(not (w in WEIGHTS and 0 <= v < math.inf) for _, ws in steps for w, v in ws.items()):
        raise _unreadable(text)
    return dict(steps)


def weights_at(text: str, epoch: int) -> dict[str, float]:
    """The weights that changes up to ``epoch`` (from 1) have set; a later change wins."""
    found: dict[str, float] = {}
    for first, weights in parse_schedule(text).items():
        if first <= epoch:
            found |= weights
    return found


def until(text: str, epoch: int) -> str:
    """The part of the schedule that epochs up to ``epoch`` were trained by."""
    parts = text.split(";") if text else []
    return ";".join(part for part in parts if _step(part)[0] <= epoch)


def extended(text: str, epoch: int, weights: Mapping[str, float]) -> str:
    """The schedule with ``weights`` from ``epoch`` on, which lies behind all of its own."""
    step = f"{epoch}:" + ",".join(f"{name}={value!r}" for name, value in weights.items())
    return f"{text};{step}" if text else step


def _step(part: str) -> tuple[int, dict[str, float]]:
    epoch, _, weights = part.partition(":")
    pairs = [weight.split("=") for weight in weights.split(",")]
    return int(epoch), {name: float(value) for name, value in pairs}


def _unreadable(text: str) -> ConfigError:
    return ConfigError(
        f"the value of `schedule` is {text!r}, but must read as 3:lambda_sc=0.08,lambda_gc=0.5;"
        "6:lambda_gc=0.4, with ascending epochs >= 2 and weights >= 0"
    )
