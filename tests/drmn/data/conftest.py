"""A small data set on disk, in the xlsa17 layout, that a test may damage before it is loaded."""

import functools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from PIL import Image

from drmn.data.dataset import Dataset, load_dataset

PREFIX = "/home/somebody/data//TINY/images/"


def cells(texts: list[str]) -> np.ndarray:
    """A column of MATLAB cells."""
    column = np.empty((len(texts), 1), dtype=object)
    column[:, 0] = texts
    return column


@dataclass
class Layout:
    """Variables of both files; 6 classes of 5 images, the last two unseen. Numbers from 1."""

    root: Path
    splits: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, Any] = field(default_factory=dict)
    tails: list[str] = field(default_factory=list)

    def write(self) -> Path:
        """Write both files and return the data root, for ``load_dataset("tiny", ...)``."""
        self.root.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(self.root / "att_splits.mat", self.splits)
        scipy.io.savemat(self.root / "res101.mat", self.rows)
        return self.root.parent

    def draw(self, folder: str = "images") -> None:
        """One 8 x 6 picture per row, whose red channel is eight times the row."""
        for row, tail in enumerate(self.tails):
            file = self.root / folder / tail
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 6), (row * 8, 0, 0)).save(file, "PNG")

    def pack(self, prefix: str = "TINY/images/") -> Path:
        """The same pictures as images.zip; the folder is gone afterwards."""
        self.draw()
        archive = self.root / "images.zip"
        with zipfile.ZipFile(archive, "w") as packed:
            for tail in self.tails:
                packed.write(self.root / "images" / tail, prefix + tail)
                (self.root / "images" / tail).unlink()
        return archive


@pytest.fixture(scope="session")
def real_dataset(shared_data: Path) -> Callable[[str], Dataset]:
    """Loads one of the real data sets by name, once per session."""
    return functools.cache(lambda name: load_dataset(name, shared_data / "xlsa17"))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return make_layout(tmp_path / "TINY")


@pytest.fixture
def make_tiny() -> Callable[..., Layout]:
    return make_layout


def make_layout(
    root: Path, num_classes: int = 6, num_unseen: int = 2, per_class: int = 5
) -> Layout:
    labels = np.repeat(np.arange(1, num_classes + 1), per_class)
    number = np.tile(np.arange(per_class), num_classes)
    seen = labels <= num_classes - num_unseen
    tails = [f"class_{k}/{n}.png" for k, n in zip(labels, number, strict=True)]
    rng = np.random.default_rng(0)
    splits = {
        "att": rng.uniform(0.1, 1.0, (4, num_classes)),
        "allclasses_names": cells([f"class_{k}" for k in range(1, num_classes + 1)]),
        "trainval_loc": np.flatnonzero(seen & (number > 0))[:, None] + 1,
        "test_seen_loc": np.flatnonzero(seen & (number == 0))[:, None] + 1,
        "test_unseen_loc": np.flatnonzero(~seen)[:, None] + 1,
    }
    rows = {
        "image_files": cells([PREFIX + tail for tail in tails]),
        "labels": labels[:, None].astype(float),
    }
    return Layout(root=root, splits=splits, rows=rows, tails=tails)
