"""The SUN attribute database as its authors distribute it: three .mat files.

``labels_cv`` gives every image's attributes as the share of annotators who saw them; a class has
the mean of its images. The class is the folder of a picture. No zero-shot split: one is proposed.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float64

from drmn.data.layouts.draft import Draft, Rows, check_distinct, unit_rows
from drmn.data.layouts.proposal import NOTE, propose_splits, propose_unseen
from drmn.data.matfile import MatFile
from drmn.data.paths import image_tail
from drmn.errors import DataError

NAME = "SUN"
_IMAGES, _NAMES, _VALUES = "images.mat", "attributes.mat", "attributeLabels_continuous.mat"


def is_sun(folder: Path) -> bool:
    return (folder / _IMAGES).is_file() and (folder / _VALUES).is_file()


def read_sun(root: Path) -> Draft:
    """images.mat (`images`), attributes.mat (`attributes`), attributeLabels_continuous.mat.

    Raises:
        DataError: a file is absent, damaged or contradicts another.
    """
    paths = MatFile(root / _IMAGES, ["images"]).texts("images")
    tails = tuple(image_tail(path) for path in paths)
    check_distinct(root / _IMAGES, "image", tails)
    values_file = MatFile(root / _VALUES, ["labels_cv"])
    values = values_file.matrix("labels_cv")
    if len(values) != len(tails):
        problem = f"has {len(values)} rows, but {_IMAGES} has {len(tails)} images"
        raise values_file.error("labels_cv", problem)
    names = MatFile(root / _NAMES, ["attributes"]).texts("attributes")
    if len(names) != values.shape[1]:
        problem = f"has {values.shape[1]} columns, but {_NAMES} has {len(names)} names"
        raise values_file.error("labels_cv", problem)
    class_names, labels = _classes(root / _IMAGES, tails)
    unseen = propose_unseen(class_names)
    return Draft(
        layout=NAME,
        image_paths=tails,
        labels=labels,
        class_names=class_names,
        attribute_names=names,
        attributes=unit_rows(_class_means(values, labels, len(class_names)), root / _VALUES),
        splits=propose_splits(root, tails, labels, class_names, unseen),
        notes=(NOTE,),
    )


def _classes(path: Path, tails: tuple[str, ...]) -> tuple[tuple[str, ...], Rows]:
    """``a/abbey/x.jpg`` is of ``abbey``, ``b/bar/indoor/x.jpg`` of ``bar/indoor``."""
    folders = []
    for tail in tails:
        parts = tail.split("/")[:-1]
        if len(parts) > 1 and len(parts[0]) == 1:
            parts = parts[1:]
        if not parts:
            raise DataError(f"{path}: the image {tail!r} lies in no folder that names its class")
        folders.append("/".join(parts))
    names = sorted(set(folders))
    ids = {name: class_id for class_id, name in enumerate(names)}
    return tuple(names), np.array([ids[folder] for folder in folders], dtype=np.int64)


def _class_means(
    values: Float64[np.ndarray, "N A"], labels: Rows, num_classes: int
) -> Float64[np.ndarray, "K A"]:
    sums = np.zeros((num_classes, values.shape[1]))
    with np.errstate(over="ignore"):  # infinite sums are refused with the rows
        np.add.at(sums, labels, values)
    return np.asarray(sums / np.bincount(labels, minlength=num_classes)[:, None])
