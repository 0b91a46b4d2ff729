"""The layout of the proposed splits: att_splits.mat and res101.mat, numbered from 1."""

from pathlib import Path

import numpy as np

from drmn.data.attribute_names import read_attribute_names
from drmn.data.layouts.draft import SPLIT_NAMES, Draft, Rows
from drmn.data.matfile import MatFile
from drmn.data.paths import image_tail
from drmn.data.validity import (
    attribute_rows,
    check_split_classes,
    check_unique,
    disjoint_splits,
    zero_based,
)
from drmn.errors import DataError

SPLITS_FILE = "att_splits.mat"
LABELS_FILE = "res101.mat"
NAME = "xlsa17"
_VALIDATION = ("train_loc", "val_loc")


def is_xlsa17(folder: Path) -> bool:
    return (folder / SPLITS_FILE).is_file()


def read_xlsa17(root: Path) -> Draft:
    """Both files, validated against themselves and each other.

    Raises:
        DataError: a file is absent, damaged or contradicts itself or the other file.
    """
    required = ["att", "allclasses_names", *(f"{split}_loc" for split in SPLIT_NAMES)]
    splits_file = MatFile(root / SPLITS_FILE, required, optional=_VALIDATION)
    labels_file = MatFile(root / LABELS_FILE, ["image_files", "labels"])
    class_names = splits_file.texts("allclasses_names")
    check_unique(splits_file, "allclasses_names", class_names)
    attributes = attribute_rows(splits_file, len(class_names))
    image_paths = _image_paths(labels_file)
    labels = zero_based(labels_file, "labels", len(class_names), "classes")
    if len(labels) != len(image_paths):
        problem = f"has {len(labels)} rows, but `image_files` has {len(image_paths)}"
        raise labels_file.error("labels", problem)
    splits = {s: _split_rows(splits_file, f"{s}_loc", len(labels)) for s in SPLIT_NAMES}
    disjoint_splits(splits_file, splits)
    check_split_classes(splits_file, splits, labels, class_names)
    return Draft(
        layout=NAME,
        image_paths=image_paths,
        labels=labels,
        class_names=class_names,
        attribute_names=read_attribute_names(root, attributes.shape[1]),
        attributes=attributes,
        splits=splits,
        published_validation=_published_validation(splits_file, len(labels)),
    )


def _published_validation(file: MatFile, num_images: int) -> tuple[Rows, Rows] | None:
    """Rows of train_loc and val_loc; None where the file lacks either or one is of no use."""
    if not all(file.has(name) for name in _VALIDATION):
        return None
    try:
        train, val = (_split_rows(file, name, num_images) for name in _VALIDATION)
    except DataError:
        return None
    return train, val


def _image_paths(file: MatFile) -> tuple[str, ...]:
    tails = []
    for row, path in enumerate(file.texts("image_files")):
        try:
            tails.append(image_tail(path))
        except DataError as error:
            raise file.error("image_files", f"row {row}: {error.message}") from error
    check_unique(file, "image_files", tails)
    return tuple(tails)


def _split_rows(file: MatFile, name: str, num_images: int) -> Rows:
    rows = zero_based(file, name, num_images, "images")
    check_unique(file, name, (rows + 1).tolist())
    return np.sort(rows)
