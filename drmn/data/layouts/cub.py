"""CUB_200_2011 as its authors distribute it. It has no zero-shot split, so one is proposed."""

from pathlib import Path

import numpy as np

from drmn.data.attribute_names import NAME_FILES, read_attribute_names
from drmn.data.layouts.draft import Draft, check_distinct, unit_rows
from drmn.data.layouts.proposal import NOTE, propose_splits, propose_unseen
from drmn.data.layouts.text import read_matrix, read_numbered
from drmn.data.paths import image_tail
from drmn.errors import DataError

NAME = "CUB_200_2011"
_IMAGES, _CLASSES, _LABELS = "images.txt", "classes.txt", "image_class_labels.txt"
_ATTRIBUTES = Path("attributes", "class_attribute_labels_continuous.txt")


def is_cub(folder: Path) -> bool:
    return (folder / _IMAGES).is_file() and (folder / _ATTRIBUTES).is_file()


def read_cub(root: Path) -> Draft:
    """images.txt, classes.txt, image_class_labels.txt and the class-attribute percentages.

    Raises:
        DataError: a file is absent, damaged or contradicts another.
    """
    tails = tuple(image_tail(path) for path in read_numbered(root / _IMAGES))
    check_distinct(root / _IMAGES, "image", tails)
    class_names = tuple(read_numbered(root / _CLASSES))
    check_distinct(root / _CLASSES, "class", class_names)
    labels = _labels(root / _LABELS, len(tails), len(class_names))
    matrix = read_matrix(root / _ATTRIBUTES, len(class_names))
    unseen = propose_unseen(class_names)
    return Draft(
        layout=NAME,
        image_paths=tails,
        labels=labels,
        class_names=class_names,
        attribute_names=read_attribute_names(_names_folder(root), matrix.shape[1]),
        attributes=unit_rows(matrix, root / _ATTRIBUTES),
        splits=propose_splits(root, tails, labels, class_names, unseen),
        notes=(NOTE,),
    )


def _labels(path: Path, num_images: int, num_classes: int) -> np.ndarray:
    texts = read_numbered(path)
    if len(texts) != num_images:
        raise DataError(f"{path} has {len(texts)} lines, but {_IMAGES} has {num_images}")
    if not all(text.isdecimal() and 1 <= int(text) <= num_classes for text in texts):
        raise DataError(f"{path} must give each image a class in 1..{num_classes}")
    return np.array([int(text) - 1 for text in texts], dtype=np.int64)


def _names_folder(root: Path) -> Path:
    """The archive unpacks attributes.txt beside CUB_200_2011/, some copies move it inside."""
    places = (root, root / "attributes", root.parent)
    return next((place for place in places if (place / NAME_FILES[0]).is_file()), root)
