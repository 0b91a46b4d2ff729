"""A data set of the user's own: ``images/<class>/*`` and ``attributes.csv``.

attributes.csv has a header ``class,<attribute>,<attribute>,...`` and a line of numbers per class.
A column called ``split`` may say ``seen`` or ``unseen`` of each class. splits.csv, with the
header ``image,split``, may instead give every image (``<class>/<file>``) its ``trainval``,
``test_seen`` or ``test_unseen``. Without either a split is proposed (see proposal.py).
"""

import csv
import io
from pathlib import Path

import numpy as np

from drmn.data.layouts.awa2 import list_pictures
from drmn.data.layouts.draft import SPLIT_NAMES, Draft, Rows, check_distinct, unit_rows
from drmn.data.layouts.proposal import NOTE, propose_splits, propose_unseen
from drmn.data.layouts.text import read_text
from drmn.data.paths import IMAGE_FOLDERS
from drmn.errors import DataError

NAME = "folder"
ATTRIBUTES_FILE, SPLITS_FILE = "attributes.csv", "splits.csv"
_CLASS, _SPLIT = "class", "split"
_SEEN, _UNSEEN = "seen", "unseen"


def is_folder(folder: Path) -> bool:
    return (folder / ATTRIBUTES_FILE).is_file()


def read_folder(root: Path) -> Draft:
    """attributes.csv, the pictures, and splits.csv where there is one.

    Raises:
        DataError: a file is absent, damaged or contradicts another; there are no pictures.
    """
    path = root / ATTRIBUTES_FILE
    header, rows = _table(path)
    if header[0] != _CLASS or len(header) < 2:
        raise DataError(f"{path}: the header must read 'class,<attribute>,...', not {header[:3]}")
    check_distinct(path, "column", header)
    class_names = tuple(row[0] for row in rows)
    check_distinct(path, "class", class_names)
    kept = [column for column in range(1, len(header)) if header[column] != _SPLIT]
    attributes = unit_rows(_numbers(path, rows, kept), path)
    pictures = next((root / name for name in IMAGE_FOLDERS if (root / name).is_dir()), root)
    tails, labels = list_pictures(pictures, class_names)
    splits, notes = _splits(root, header, rows, tails, labels)
    return Draft(
        layout=NAME,
        image_paths=tails,
        labels=labels,
        class_names=class_names,
        attribute_names=tuple(header[column] for column in kept),
        attributes=attributes,
        splits=splits,
        notes=notes,
    )


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        lines = [row for row in csv.reader(io.StringIO(read_text(path)), strict=True) if any(row)]
    except csv.Error as error:
        raise DataError(f"{path} is no CSV: {error}") from error
    if len(lines) < 2:
        raise DataError(f"{path} has {len(lines)} lines, but must have a header and at least one")
    table = [[cell.strip() for cell in line] for line in lines]
    for number, row in enumerate(table, start=1):
        if len(row) != len(table[0]) or not row[0]:
            problem = f"has {len(row)} cells, but the header has {len(table[0])}"
            raise DataError(f"{path}: line {number} {problem if row[0] else 'names no class'}")
    return table[0], table[1:]


def _numbers(path: Path, rows: list[list[str]], columns: list[int]) -> np.ndarray:
    try:
        return np.array([[float(row[column]) for column in columns] for row in rows])
    except ValueError as error:
        raise DataError(f"{path} holds something else than numbers: {error}") from error


def _splits(
    root: Path, header: list[str], rows: list[list[str]], tails: tuple[str, ...], labels: Rows
) -> tuple[dict[str, Rows], tuple[str, ...]]:
    class_names = [row[0] for row in rows]
    if (root / SPLITS_FILE).is_file():
        return _given_splits(root / SPLITS_FILE, tails, labels, class_names), ()
    if _SPLIT not in header:
        unseen = propose_unseen(class_names)
        return dict(propose_splits(root, tails, labels, class_names, unseen)), (NOTE,)
    words = {row[0]: row[header.index(_SPLIT)].lower() for row in rows}
    for name, word in words.items():
        if word not in (_SEEN, _UNSEEN):
            problem = f"the split of {name!r} is {word!r}, but must be seen or unseen"
            raise DataError(f"{root / ATTRIBUTES_FILE}: {problem}")
    unseen = {name for name, word in words.items() if word == _UNSEEN}
    note = "the images of test_seen are our own choice: a fifth of each seen class"
    return dict(propose_splits(root, tails, labels, class_names, unseen)), (note,)


def _given_splits(
    path: Path, tails: tuple[str, ...], labels: Rows, class_names: list[str]
) -> dict[str, Rows]:
    header, lines = _table(path)
    if header != ["image", _SPLIT]:
        raise DataError(f"{path}: the header must read 'image,split', not {header}")
    row_of = {tail: row for row, tail in enumerate(tails)}
    check_distinct(path, "image", [line[0] for line in lines])
    groups: dict[str, list[int]] = {name: [] for name in SPLIT_NAMES}
    for image, split in lines:
        if image not in row_of or split not in groups:
            problem = "is no split" if image in row_of else "is no picture of the folder"
            word = split if image in row_of else image
            raise DataError(f"{path}: {word!r} {problem}", f"splits are {', '.join(SPLIT_NAMES)}")
        groups[split].append(row_of[image])
    splits = {name: np.array(sorted(rows), dtype=np.int64) for name, rows in groups.items()}
    _check_given(path, splits, labels, class_names)
    return splits


def _check_given(path: Path, splits: dict[str, Rows], labels: Rows, class_names: list[str]) -> None:
    classes = {name: set(labels[rows].tolist()) for name, rows in splits.items()}
    wrong = (
        classes["test_unseen"] & classes["trainval"] or classes["test_seen"] - classes["trainval"]
    )
    if wrong:
        name = class_names[min(wrong)]
        raise DataError(
            f"{path}: the class {name!r} is trained and unseen at once, or tested as seen untrained"
        )
    empty = [name for name, rows in splits.items() if not len(rows)]
    if empty:
        raise DataError(f"{path} gives no image to {', '.join(empty)}")
