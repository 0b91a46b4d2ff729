"""A split for data that come without one: seeded, stratified, the same for everybody.

A quarter of the classes is unseen; a fifth of each other class's images is test_seen. It depends
on class names and image paths alone, never on the order in which a disk lists them.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from drmn.data.layouts.draft import Rows
from drmn.errors import DataError

UNSEEN_CLASS_SHARE = 0.25
TEST_SEEN_SHARE = 0.2
NOTE = (
    "the split is our own proposal (a quarter of the classes unseen, a fifth of the other images "
    "test_seen): never compare results with those on a published split"
)


def propose_unseen(class_names: Sequence[str]) -> set[str]:
    """The classes that play unseen: those whose names hash lowest."""
    num_unseen = max(1, round(UNSEEN_CLASS_SHARE * len(class_names)))
    return set(sorted(class_names, key=_rank)[:num_unseen])


def propose_splits(
    root: Path,
    image_paths: Sequence[str],
    labels: Rows,
    class_names: Sequence[str],
    unseen: Collection[str],
) -> Mapping[str, Rows]:
    """trainval, test_seen and test_unseen over all images, given the unseen classes.

    Raises:
        DataError: no class is left to be seen, or none has the 2 images that it takes.
    """
    groups: dict[str, list[int]] = {"trainval": [], "test_seen": [], "test_unseen": []}
    for class_id, name in enumerate(class_names):
        rows = sorted(
            np.flatnonzero(labels == class_id).tolist(), key=lambda row: _rank(image_paths[row])
        )
        num_tested = min(max(1, round(TEST_SEEN_SHARE * len(rows))), max(len(rows) - 1, 0))
        if name in unseen:
            groups["test_unseen"] += rows
        else:
            groups["test_seen"] += rows[:num_tested]
            groups["trainval"] += rows[num_tested:]
    empty = [name for name, rows in groups.items() if not rows]
    if empty:
        raise DataError(
            f"{root}: {len(class_names)} classes with {len(labels)} images leave nothing for "
            f"{', '.join(empty)}",
            "give at least 2 classes with images, one of them with at least 2",
        )
    return {name: np.array(sorted(rows), dtype=np.int64) for name, rows in groups.items()}


def _rank(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
