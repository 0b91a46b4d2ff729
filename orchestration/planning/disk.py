"""What a sweep will write, and whether there is room for it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from drmn.data.store.arrow_shards import DTYPE
from drmn.errors import ConfigError
from drmn.model.levels import LevelSpec


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Bytes that are to be written to a place."""

    what: str
    place: str
    """A folder, which need not be there yet, or a URI."""
    size_bytes: int
    remedy: str


def store_bytes(specs: Sequence[LevelSpec], num_images: int, dtype: str = DTYPE) -> int:
    """Of a feature store: every level of every image."""
    return num_images * np.dtype(dtype).itemsize * sum(spec.num_values for spec in specs)


def free_bytes(place: str) -> int | None:
    """Free at ``place``, or at what there is of its path; None: not known of a URI."""
    folder = _existing(place)
    return None if folder is None else shutil.disk_usage(folder).free


def check_room(demands: Sequence[Demand]) -> None:
    """Raise where a disk is too small for all that is to be written to it.

    Raises:
        ConfigError: naming the largest demand on that disk.
    """
    by_disk: dict[int, list[Demand]] = {}
    for demand in demands:
        folder = _existing(demand.place)
        if folder is not None:
            by_disk.setdefault(folder.stat().st_dev, []).append(demand)
    for on_disk in by_disk.values():
        needed, free = sum(each.size_bytes for each in on_disk), free_bytes(on_disk[0].place)
        if free is not None and needed > free:
            largest = max(on_disk, key=lambda each: each.size_bytes)
            raise ConfigError(
                f"the sweep will write {needed / 1e9:.2f} GB to the disk of {largest.place}, but "
                f"{free / 1e9:.2f} GB are free there; the most is {largest.what}, "
                f"{largest.size_bytes / 1e9:.2f} GB",
                largest.remedy,
            )


def _existing(place: str) -> Path | None:
    if "://" in place:
        return None
    path = Path(place).resolve()
    return next(folder for folder in (path, *path.parents) if folder.exists())
