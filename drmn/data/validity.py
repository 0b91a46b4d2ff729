"""What makes two .mat files a usable data set; each rule is one function that raises DataError."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from drmn.data.literature import Counts
from drmn.data.matfile import MatFile
from drmn.errors import DataError

Rows = Int64[np.ndarray, " _"]

LARGEST = 1e100
"""Of an attribute's values: squares of larger ones overflow."""


def zero_based(file: MatFile, name: str, size: int, of_what: str) -> Rows:
    """A vector of 1-based numbers, shifted to start at 0. Raises where one is not in 1..size."""
    values = file.integers(name)
    if not len(values):
        raise file.error(name, "is empty")
    inside = (values >= 1) & (values <= size)
    if not inside.all():
        row = int(np.argmin(inside))
        raise file.error(
            name, f"row {row} is {values[row]}, but must lie in 1..{size} (the number of {of_what})"
        )
    return values - 1


def check_unique(file: MatFile, name: str, values: Sequence[object]) -> None:
    """No value twice. Raises naming both rows."""
    first_row: dict[object, int] = {}
    for row, value in enumerate(values):
        if value in first_row:
            problem = f"row {row} repeats row {first_row[value]}: {value!r}"
            raise file.error(name, problem, "each must occur once")
        first_row[value] = row


def attribute_rows(file: MatFile, num_classes: int) -> Float32[np.ndarray, "K A"]:
    """``att`` transposed to one l2-normalised row per class."""
    matrix = file.matrix("att")
    if matrix.shape[1] != num_classes or not matrix.shape[0]:
        raise file.error(
            "att",
            f"is {matrix.shape[0]} x {matrix.shape[1]}, but must have one column for each of the "
            f"{num_classes} classes in `allclasses_names`",
            "transpose it" if matrix.shape[0] == num_classes else "",
        )
    if not (np.abs(matrix) <= LARGEST).all():
        problem = f"holds {matrix[~(np.abs(matrix) <= LARGEST)][0]}"
        raise file.error("att", f"{problem}, but numbers must be finite and at most {LARGEST:g}")
    norms = np.linalg.norm(matrix, axis=0)
    if not norms.all():
        column = int(np.argmin(norms))
        raise file.error(
            "att", f"column {column} is all zero, but every class needs a non-zero attribute"
        )
    rows: Float32[np.ndarray, "K A"] = (matrix / norms).T.astype(np.float32)
    return rows


def disjoint_splits(file: MatFile, splits: Mapping[str, Rows]) -> None:
    """No image in two splits. Raises naming the two, how many and the first row."""
    for one, other in itertools.combinations(splits, 2):
        shared = np.intersect1d(splits[one], splits[other])
        if len(shared):
            raise file.error(
                f"{one}_loc",
                f"and `{other}_loc` share {len(shared)} images, the first is row {shared[0]} "
                "of res101.mat, but splits must be disjoint",
                "take att_splits.mat from the proposed splits, version 2.0",
            )


def check_split_classes(
    file: MatFile, splits: Mapping[str, Rows], labels: Rows, class_names: Sequence[str]
) -> None:
    """Unseen classes are absent from trainval, seen ones are present in it."""
    trained = np.isin(np.arange(len(class_names)), labels[splits["trainval"]])
    for split, rule in (("test_seen", True), ("test_unseen", False)):
        wrong = splits[split][trained[labels[splits[split]]] != rule]
        if len(wrong):
            row = int(wrong[0])
            verb = "must" if rule else "must not"
            raise file.error(
                f"{split}_loc",
                f"holds image row {row} of class {class_names[labels[row]]!r}, which {verb} "
                f"occur in trainval_loc ({len(wrong)} such images)",
            )


def check_published(
    path: Path,
    key: str,
    counts: Counts,
    labels: Rows,
    splits: Mapping[str, Rows],
    attributes: Float32[np.ndarray, "K A"],
) -> None:
    """Counts of a data set known by name; without ``splits`` those of a split of our own are not
    compared. Raises listing every difference."""
    found = {"images": len(labels), "attributes": attributes.shape[1]}
    found |= {name: len(rows) for name, rows in splits.items()}
    if splits:
        found["seen_classes"] = len(np.unique(labels[splits["trainval"]]))
        found["unseen_classes"] = len(np.unique(labels[splits["test_unseen"]]))
    wrong = [
        f"{name} {found[name]} instead of {value}"
        for name, value in vars(counts).items()
        if name in found and found[name] != value
    ]
    if wrong:
        raise DataError(
            f"{path}: the counts differ from those published for {key}: {', '.join(wrong)}",
            "use the published files, or give a data set of your own another name",
        )
