"""Images left out by hand: ``exclude.txt`` beside a data set, one image path per line.

`drmn data prepare` writes such a list of the pictures that it could not read. An excluded image
keeps its row, so nothing is renumbered; it is in no split and is never opened.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from drmn.data.layouts.draft import Rows
from drmn.data.layouts.text import read_text
from drmn.errors import DataError

EXCLUDE_FILE = "exclude.txt"


def read_exclusions(root: Path, image_paths: Sequence[str]) -> frozenset[str]:
    """The images listed in ``root/exclude.txt``; none where there is no such file.

    Raises:
        DataError: the list names an image that the data set does not have.
    """
    path = root / EXCLUDE_FILE
    if not path.is_file():
        return frozenset()
    listed = frozenset(line.strip() for line in read_text(path).splitlines() if line.strip())
    unknown = sorted(listed - set(image_paths))
    if unknown:
        raise DataError(
            f"{path} names {unknown[0]!r}, which is no image of this data set "
            f"({len(unknown)} such lines)",
            "name images as the data set does, from the class's folder on",
        )
    return listed


def check_still_whole(
    root: Path, splits: Mapping[str, Rows], labels: Rows, class_names: Sequence[str]
) -> None:
    """Raises DataError where exclusions emptied a split, or left a tested seen class untrained."""
    empty = [split for split, rows in splits.items() if not len(rows)]
    if empty:
        raise DataError(f"{root}: the excluded images leave nothing of {', '.join(empty)}")
    lost = np.setdiff1d(labels[splits["test_seen"]], labels[splits["trainval"]])
    if len(lost):
        raise DataError(
            f"{root}: the excluded images leave nothing of {class_names[lost[0]]!r} to train on",
            "replace these pictures rather than excluding them",
        )
