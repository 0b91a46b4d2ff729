"""A data set, whatever its layout on disk: validated, hashed, its images known by row.

Letters: N images (rows of res101.mat), K all classes of the attribute matrix, A attributes.
"""

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64

from drmn.data.exclusions import check_still_whole, read_exclusions
from drmn.data.layouts.detection import FOLDER_NAMES, reader_of
from drmn.data.layouts.draft import SPLIT_NAMES, Draft, Rows
from drmn.data.layouts.xlsa17 import LABELS_FILE, SPLITS_FILE
from drmn.data.layouts.xlsa17 import NAME as XLSA17
from drmn.data.literature import PUBLISHED
from drmn.data.validity import check_published
from drmn.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Who is where: no pixels are held. Rows and class ids count from 0.

    ``root`` is its folder; ``image_paths`` are tails below ``images/``; ``attributes`` has
    l2-normalised rows; the three splits are sorted rows, disjoint by construction.
    ``published_validation`` are the rows of train_loc and val_loc, which mostly leak; ``notes``
    say what the layout left open; ``excluded`` images keep their row, but are in no split.
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
    layout: str = XLSA17
    published_validation: tuple[Rows, Rows] | None = None
    notes: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()

    def without(self, tails: Iterable[str]) -> "Dataset":
        """The same rows, but these images are in no split; the hashes say so.

        Raises:
            DataError: a split would be left empty, or a seen class untrained.
        """
        excluded = self.excluded | frozenset(tails)
        kept = np.array([tail not in excluded for tail in self.image_paths])
        splits = {split: getattr(self, split) for split in SPLIT_NAMES}
        splits = {split: rows[kept[rows]] for split, rows in splits.items()}
        check_still_whole(self.root, splits, self.labels, self.class_names)
        return replace(
            self,
            **splits,
            excluded=excluded,
            data_hash=digest([self.data_hash, "without", *sorted(excluded)]),
            split_hash=split_digest(splits),
        )


def load_dataset(name: str, data_root: Path) -> Dataset:
    """Read and validate ``data_root/NAME`` (letter case, ``-`` and ``_`` do not matter).

    Raises:
        DataError: a file is absent, damaged or contradicts itself, another file, or the
            published counts of a data set of that name. The message names file, row and value.
    """
    root = find_dataset(name, data_root)
    reader = reader_of(root)
    assert reader is not None
    dataset = _assemble(name, root, reader(root))
    check_against_published(dataset)
    excluded = read_exclusions(root, dataset.image_paths)
    return dataset.without(excluded) if excluded else dataset


def _assemble(name: str, root: Path, draft: Draft) -> Dataset:
    paths, labels, attributes = draft.image_paths, draft.labels, draft.attributes
    return Dataset(
        name=dataset_key(name).replace("_", "-"),
        root=root,
        image_paths=paths,
        labels=labels,
        class_names=draft.class_names,
        attribute_names=draft.attribute_names,
        attributes=attributes,
        data_hash=digest(
            ["\n".join(paths), labels, attributes.shape, attributes, "\n".join(draft.class_names)]
        ),
        split_hash=split_digest(draft.splits),
        layout=draft.layout,
        published_validation=draft.published_validation,
        notes=draft.notes,
        trainval=draft.splits["trainval"],
        test_seen=draft.splits["test_seen"],
        test_unseen=draft.splits["test_unseen"],
    )


def check_against_published(dataset: Dataset) -> None:
    """Raises DataError where a data set known by name differs from its published counts."""
    counts = PUBLISHED.get(dataset_key(dataset.name))
    if counts is None:
        return
    keys = SPLIT_NAMES if dataset.layout == XLSA17 else ()
    splits = {split: getattr(dataset, split) for split in keys}
    key = dataset_key(dataset.name)
    check_published(dataset.root, key, counts, dataset.labels, splits, dataset.attributes)


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


def split_digest(splits: Mapping[str, Rows]) -> str:
    """The hash of trainval, test_seen and test_unseen."""
    return digest(part for split in SPLIT_NAMES for part in (split, splits[split]))


def find_dataset(name: str, data_root: Path) -> Path:
    """The folder of a data set: ``data_root/NAME``, or ``data_root`` itself if so called."""
    folders = _dataset_folders(data_root)
    matches: list[Path] = []
    for alias in FOLDER_NAMES.get(dataset_key(name), (dataset_key(name),)):
        matches = matches or [each for each in folders if dataset_key(each.name) == alias]
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
    return [folder for folder in folders if reader_of(folder) is not None]


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
