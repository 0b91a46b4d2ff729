"""Small copies of the distributions' own layouts: 4 classes of 5 pictures, 3 attributes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.io
from PIL import Image

CLASSES = ("cat", "dog", "owl", "eel")
ATTRIBUTES = ("furry", "wings", "swims")
MATRIX = np.array([[90, 0, 10], [80, 0, 30], [40, 95, 0], [0, 0, 99.5]])
PER_CLASS = 5


def _draw(folder: Path, prefix: str = "") -> list[str]:
    tails = [f"{prefix}{name}/{n}.jpg" for name in CLASSES for n in range(PER_CLASS)]
    for row, tail in enumerate(tails):
        file = folder / tail
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 8), (10 * row, 128, 0)).save(file)
    return tails


def _numbered(path: Path, texts: list[str]) -> None:
    path.write_text("".join(f"{number} {text}\n" for number, text in enumerate(texts, start=1)))


def _cells(texts: list[str]) -> np.ndarray:
    column = np.empty((len(texts), 1), dtype=object)
    column[:, 0] = texts
    return column


def _matrix_text() -> str:
    return "".join(" ".join(f"{value:.2f}" for value in row) + "\n" for row in MATRIX)


def write_cub(root: Path) -> Path:
    tails = _draw(root / "images")
    (root / "attributes").mkdir()
    _numbered(root / "images.txt", tails)
    _numbered(root / "classes.txt", list(CLASSES))
    labels = [str(1 + row // PER_CLASS) for row in range(len(tails))]
    _numbered(root / "image_class_labels.txt", labels)
    (root / "attributes/class_attribute_labels_continuous.txt").write_text(_matrix_text())
    _numbered(root.parent / "attributes.txt", list(ATTRIBUTES))
    return root


def write_awa2(root: Path) -> Path:
    _draw(root / "JPEGImages")
    _numbered(root / "classes.txt", list(CLASSES))
    _numbered(root / "predicates.txt", list(ATTRIBUTES))
    (root / "predicate-matrix-continuous.txt").write_text(_matrix_text().replace("95.00", "-1"))
    (root / "testclasses.txt").write_text("owl\n")
    return root


def write_sun(root: Path) -> Path:
    tails = _draw(root / "images", prefix="a/")
    values = np.repeat(MATRIX / 100, PER_CLASS, axis=0)
    scipy.io.savemat(root / "images.mat", {"images": _cells(tails)})
    scipy.io.savemat(root / "attributes.mat", {"attributes": _cells(list(ATTRIBUTES))})
    scipy.io.savemat(root / "attributeLabels_continuous.mat", {"labels_cv": values})
    return root


def write_folder(root: Path) -> Path:
    _draw(root / "images")
    lines = [["class", *ATTRIBUTES], *([n, *r] for n, r in zip(CLASSES, MATRIX, strict=True))]
    text = "".join(",".join(map(str, line)) + "\n" for line in lines)
    (root / "attributes.csv").write_text(text)
    return root


WRITERS: dict[str, Callable[[Path], Path]] = {
    "CUB_200_2011": write_cub,
    "AwA2": write_awa2,
    "SUN": write_sun,
    "folder": write_folder,
}
