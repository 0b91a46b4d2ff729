"""A data set in the xlsa17 layout: att_splits.mat, res101.mat and images, validated and hashed.

Letters: N images (rows of res101.mat), K all classes of the attribute matrix, A attributes.
"""

import difflib
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from drmn.data.attribute_names import read_attribute_names
from drmn.data.matfile import MatFile
from drmn.data.paths import image_tail
from drmn.data.published import PUBLISHED
from drmn.data.validity import (
    attribute_rows,
    check_published,
    check_split_classes,
    check_unique,
    disjoint_splits,
    zero_based,
)
from drmn.errors import DataError

SPLITS_FILE = "att_splits.mat"
LABELS_FILE = "res101.mat"
SPLIT_NAMES = ("trainval", "test_seen", "test_unseen")


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Who is where: no pixels are held. Rows and class ids count from 0.

    ``root`` holds att_splits.mat; ``image_paths`` are tails below ``images/``; ``attributes`` has
    l2-normalised rows; the three splits are sorted rows, disjoint by construction.
    """

    name: str
    root: Path
    image_paths: tuple[str, ...]
    labels: Int64[np.ndarray, " N"]
    class_names: tuple[str, ...]
    attribute_names: tuple[str, ...]
    attributes: Float32[np.ndarray, "K A"]
    trainval: Int64[np.ndarray, " n_trainval"]
    test_seen: Int64[np.ndarray, " n_test_seen"]
    test_unseen: Int64[np.ndarray, " n_test_unseen"]
    data_hash: str
    split_hash: str


def load_dataset(name: str, data_root: Path) -> Dataset:
    """Read and validate ``data_root/NAME`` (letter case, ``-`` and ``_`` do not matter).

    Raises:
        DataError: a file is absent, damaged or contradicts itself, the other file, or the
            published counts of a data set of that name. The message names file, row and value.
    """
    root = find_dataset(name, data_root)
    splits_file = MatFile(
        root / SPLITS_FILE, ["att", "allclasses_names", *(f"{s}_loc" for s in SPLIT_NAMES)]
    )
    labels_file = MatFile(root / LABELS_FILE, ["image_files", "labels"])
    class_names = splits_file.texts("allclasses_names")
    check_unique(splits_file, "allclasses_names", class_names)
    attributes = attribute_rows(splits_file, len(class_names))
    image_paths = _image_paths(labels_file)
    labels = zero_based(labels_file, "labels", len(class_names), "classes")
    if len(labels) != len(image_paths):
        problem = f"has {len(labels)} rows, but `image_files` has {len(image_paths)}"
        raise labels_file.error("labels", problem)
    splits = {s: _split_rows(splits_file, s, len(labels)) for s in SPLIT_NAMES}
    disjoint_splits(splits_file, splits)
    check_split_classes(splits_file, splits, labels, class_names)
    dataset = Dataset(
        name=dataset_key(name).replace("_", "-"),
        root=root,
        image_paths=image_paths,
        labels=labels,
        class_names=class_names,
        attribute_names=read_attribute_names(root, attributes.shape[1]),
        attributes=attributes,
        data_hash=digest(
            ["\n".join(image_paths), labels, attributes.shape, attributes, "\n".join(class_names)]
        ),
        split_hash=digest(part for s in SPLIT_NAMES for part in (s, splits[s])),
        **splits,
    )
    if (counts := PUBLISHED.get(dataset_key(name))) is not None:
        check_published(splits_file.path, dataset_key(name), counts, labels, splits, attributes)
    return dataset


def dataset_key(name: str) -> str:
    """``"CIFAR-AWA2"`` and ``"cifar_awa2"`` name the same data set."""
    return name.lower().replace("-", "_")


def digest(parts: Iterable[object]) -> str:
    """16 hex digits over texts and arrays (SHA-256; arrays by their little-endian bytes)."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            little_endian = np.ascontiguousarray(part, dtype=part.dtype.newbyteorder("<"))
            sha.update(str(part.shape).encode() + little_endian.tobytes())
        else:
            sha.update(str(part).encode())
        sha.update(b"\0")
    return sha.hexdigest()[:16]


def find_dataset(name: str, data_root: Path) -> Path:
    """The folder of a data set: ``data_root/NAME``, or ``data_root`` itself if so called."""
    folders = _dataset_folders(data_root)
    matches = [folder for folder in folders if dataset_key(folder.name) == dataset_key(name)]
    exact = [folder for folder in matches if folder.name == name]
    if len(exact or matches) == 1:
        return (exact or matches)[0]
    if matches:
        both = ", ".join(folder.name for folder in matches)
        raise DataError(f"the name {name!r} fits several folders of {data_root}: {both}")
    raise _unknown(name, data_root, [dataset_key(folder.name) for folder in folders])


def _dataset_folders(data_root: Path) -> list[Path]:
    if not data_root.is_dir():
        return []
    folders = [data_root.resolve(), *sorted(path for path in data_root.iterdir() if path.is_dir())]
    return [folder for folder in folders if (folder / SPLITS_FILE).is_file()]


def _unknown(name: str, data_root: Path, present: list[str]) -> DataError:
    known = [key.replace("_", "-") for key in sorted({*present, *PUBLISHED, "sprites"})]
    close = [c for c in difflib.get_close_matches(name.lower(), known, n=1) if c != name.lower()]
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    folder = data_root / name.upper().replace("-", "_")
    return DataError(
        f"no data set {name!r} under {data_root}{hint}; expected {folder}/ with {SPLITS_FILE}, "
        f"{LABELS_FILE}, the pictures (images.zip, images/ or JPEGImages/) and, if at hand, "
        "attributes.txt or predicates.txt",
        f"place these files there, then verify them with `drmn data check --dataset {name} "
        f"--data-root {data_root}`",
    )


def _image_paths(file: MatFile) -> tuple[str, ...]:
    tails = []
    for row, path in enumerate(file.texts("image_files")):
        try:
            tails.append(image_tail(path))
        except DataError as error:
            raise file.error("image_files", f"row {row}: {error.message}") from error
    check_unique(file, "image_files", tails)
    return tuple(tails)


def _split_rows(file: MatFile, split: str, num_images: int) -> Int64[np.ndarray, " n"]:
    name = f"{split}_loc"
    rows = zero_based(file, name, num_images, "images")
    check_unique(file, name, (rows + 1).tolist())
    return np.sort(rows)
