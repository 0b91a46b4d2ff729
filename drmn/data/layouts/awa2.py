"""Animals with Attributes 2 as its authors distribute it.

trainclasses.txt and testclasses.txt are the STANDARD split: some of its unseen classes are in
ImageNet, which is why the proposed split of xlsa17 replaced it. It is used, and said so.
"""

from pathlib import Path

import numpy as np

from drmn.data.attribute_names import read_attribute_names
from drmn.data.layouts.draft import Draft, check_distinct, unit_rows
from drmn.data.layouts.proposal import NOTE, propose_splits, propose_unseen
from drmn.data.layouts.text import read_matrix, read_names, read_numbered
from drmn.errors import DataError

NAME = "AwA2"
_CLASSES, _MATRIX = "classes.txt", "predicate-matrix-continuous.txt"
_TEST_CLASSES = "testclasses.txt"
_PICTURES = "JPEGImages"
STANDARD_SPLIT_NOTE = (
    f"the unseen classes are those of {_TEST_CLASSES}, the standard split: ImageNet contains some "
    "of them, so take xlsa17's att_splits.mat for numbers to compare with"
)


def is_awa2(folder: Path) -> bool:
    return (folder / _MATRIX).is_file() and (folder / _CLASSES).is_file()


def read_awa2(root: Path) -> Draft:
    """classes.txt, predicates.txt, the continuous matrix, and the pictures below JPEGImages/.

    Raises:
        DataError: a file is absent, damaged or contradicts another; there are no pictures.
    """
    class_names = tuple(read_numbered(root / _CLASSES))
    check_distinct(root / _CLASSES, "class", class_names)
    matrix = read_matrix(root / _MATRIX, len(class_names))
    matrix = np.where(matrix < 0, 0.0, matrix)  # -1: unknown
    tails, labels = list_pictures(root / _PICTURES, class_names)
    unseen, note = _unseen(root, class_names)
    return Draft(
        layout=NAME,
        image_paths=tails,
        labels=labels,
        class_names=class_names,
        attribute_names=read_attribute_names(root, matrix.shape[1]),
        attributes=unit_rows(matrix, root / _MATRIX),
        splits=propose_splits(root, tails, labels, class_names, unseen),
        notes=(note,),
    )


def list_pictures(folder: Path, class_names: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    """Files ``<class>/<name>`` below ``folder``, sorted, with their labels.

    Raises:
        DataError: there are none, or a name is no valid text.
    """
    tails, labels = [], []
    for class_id, name in enumerate(class_names):
        if "/" in name or name in (".", ".."):
            raise DataError(f"the class name {name!r} cannot be that of a folder in {folder}")
        found = [path.name for path in _children(folder / name) if path.name[0] != "."]
        tails += [f"{name}/{file}" for file in sorted(found)]
        labels += [class_id] * len(found)
    if not tails:
        raise DataError(f"{folder} has no picture of any of the {len(class_names)} classes")
    for tail in tails:
        if any("\ud800" <= letter <= "\udfff" for letter in tail):
            raise DataError(f"{folder}: the name {tail!r} is not UTF-8", "rename the file")
    return tuple(tails), np.array(labels, dtype=np.int64)


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _unseen(root: Path, class_names: tuple[str, ...]) -> tuple[set[str], str]:
    path = root / _TEST_CLASSES
    if not path.is_file():
        return propose_unseen(class_names), NOTE
    unseen = set(read_names(path))
    unknown = sorted(unseen - set(class_names))
    if unknown:
        raise DataError(f"{path} names {unknown[0]!r}, which {_CLASSES} lacks")
    return unseen, STANDARD_SPLIT_NOTE
