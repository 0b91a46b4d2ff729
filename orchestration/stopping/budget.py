"""What a sweep's search may cost, and what it has cost so far."""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drmn.atomic import replacing
from drmn.errors import ConfigError
from drmn.reading import reading

USAGE_FILE = "usage.json"
"""Its name in a sweep's folder."""
OPEN_ENDED = 10_000
"""Trials of a search that nothing but its budget ends."""
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|gpu-h)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SAVED_EVERY_S = 5.0
_TICK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits of the search, over all attempts; the final runs come on top. None: no limit.

    ``wall_h`` is in hours of the driver's life; ``gpu_h`` in hours of GPU, reserved by trials,
    fractions counted as such.
    """

    wall_h: float | None = None
    gpu_h: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("wall", self.wall_h), ("gpu", self.gpu_h)):
            if value is not None and not value > 0:
                raise ConfigError(f"the {name} budget is {value!r} hours, but must be > 0")

    def spent(self, wall_h: float, gpu_h: float) -> str:
        """Which limit these reach; "" where none is reached."""
        if self.wall_h is not None and wall_h >= self.wall_h:
            return f"the budget of {_in_words(self.wall_h)} is spent"
        if self.gpu_h is not None and gpu_h >= self.gpu_h:
            return f"the budget of {self.gpu_h:g} GPU-h is spent"
        return ""


def parse_budget(texts: Sequence[str]) -> Budget:
    """From words such as ``8h``, ``90m``, ``2d`` (wall clock) and ``4gpu-h``.

    Raises:
        ConfigError: a word is none of these, or one kind is given twice.
    """
    limits: dict[str, float] = {}
    for text in texts:
        found = _AMOUNT.fullmatch(text)
        if not found:
            raise ConfigError(
                f"the value of `budget` is {text!r}, but must be a number and s, m, h, d or gpu-h",
                "write for instance --budget 8h, or --budget 4gpu-h",
            )
        amount, unit = float(found[1]), found[2]
        kind = "gpu_h" if unit == "gpu-h" else "wall_h"
        if kind in limits:
            raise ConfigError(f"`budget` is given twice in one kind: {' and '.join(texts)}")
        limits[kind] = amount if unit == "gpu-h" else amount * _SECONDS[unit] / 3600
    return Budget(**limits)


class Meter:
    """Sums up the time and the GPU time of all attempts; at most 5 s are lost in a crash.

    Raises:
        DataError: ``file`` is not a meter's.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self.wall_h, self.gpu_h = _read(file)
        self._last_s = self._saved_s = clock()

    @property
    def is_due(self) -> bool:
        """Whether a second has passed since the last tick: counting GPUs takes time."""
        return self._clock() - self._last_s >= _TICK_S

    def tick(self, num_gpus: float) -> None:
        """Count the time since the last tick; ``num_gpus`` were reserved during it."""
        now_s = self._clock()
        passed_h = (now_s - self._last_s) / 3600
        self._last_s = now_s
        self.wall_h += passed_h
        self.gpu_h += passed_h * num_gpus
        if now_s - self._saved_s >= _SAVED_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write it down."""
        self._saved_s = self._last_s
        with replacing(self._file) as temporary:
            temporary.write_text(json.dumps({"wall_h": self.wall_h, "gpu_h": self.gpu_h}) + "\n")


def _in_words(hours: float) -> str:
    """In the largest unit of which it is at least one."""
    seconds = round(hours * 3600, 3)
    unit = next((unit for unit in "dhm" if seconds >= _SECONDS[unit]), "s")
    return f"{seconds / _SECONDS[unit]:g} {unit}"


def _read(file: Path) -> tuple[float, float]:
    if not file.exists():
        return 0.0, 0.0
    with reading(file, "a sweep's usage", "remove the file to count the budget from nothing"):
        content = json.loads(file.read_text())
        return float(content["wall_h"]), float(content["gpu_h"])
