"""What every reader returns: the contents of a layout, converted in memory, rows from 0.

Letters: N images, K classes, A attributes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int64

from drmn.data.validity import LARGEST
from drmn.errors import DataError

Rows = Int64[np.ndarray, " _"]
SPLIT_NAMES = ("trainval", "test_seen", "test_unseen")


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """``attributes`` has l2-normalised rows; ``splits`` holds the three of SPLIT_NAMES, sorted.

    ``published_validation`` are the rows of train_loc and val_loc where a file gives them;
    ``notes`` say what the reader had to decide by itself.
    """

    layout: str
    image_paths: tuple[str, ...]
    labels: Int64[np.ndarray, " N"]
    class_names: tuple[str, ...]
    attribute_names: tuple[str, ...]
    attributes: Float32[np.ndarray, "K A"]
    splits: Mapping[str, Rows]
    published_validation: tuple[Rows, Rows] | None = None
    notes: tuple[str, ...] = field(default=())


def unit_rows(matrix: Float[np.ndarray, "K A"], path: Path) -> Float32[np.ndarray, "K A"]:
    """Rows of length one. Raises DataError where a value is not finite or a row is all zero."""
    usable = np.abs(matrix) <= LARGEST
    if not usable.all():
        row, column = map(int, np.argwhere(~usable)[0])
        raise DataError(
            f"{path}: row {row}, column {column} is {matrix[row, column]}, but must be finite and "
            f"at most {LARGEST:g}"
        )
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    if not norms.all():
        raise DataError(
            f"{path}: row {int(np.argmin(norms))} is all zero, but every class needs a non-zero "
            "attribute"
        )
    rows: Float32[np.ndarray, "K A"] = (matrix / norms).astype(np.float32)
    return rows


def check_distinct(path: Path, what: str, values: Sequence[str]) -> None:
    """Raises DataError naming the first value that occurs twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise DataError(f"{path}: the {what} {value!r} occurs twice, but must occur once")
        seen.add(value)
