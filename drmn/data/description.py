"""Pictures of a data set: what its classes look like, what its attributes say, what is unseen.

:func:`describe` writes PNGs and returns their paths, so that a run may log them.
"""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from drmn.atomic import replacing
from drmn.data.dataset import Dataset
from drmn.data.images import ImageSource, images
from drmn.data.transforms import square_pixels
from drmn.errors import DataError

MAX_CLASSES = 60  # in the sheet of samples; unseen classes come first
MAX_ATTRIBUTES = 120  # whose names are still legible
NUM_NEIGHBOURS = 3
THUMBNAIL = 128  # pixels
SEEN_COLOUR, UNSEEN_COLOUR = "#4c6a92", "#c8553d"
MISSING_GREY = 225
PICTURES = ("samples.png", "attributes.png", "similarity.png")

Progress = Callable[[int, int], None]


def describe(dataset: Dataset, folder: Path, progress: Progress | None = None) -> list[Path]:
    """Write samples.png, attributes.png and similarity.png into ``folder``.

    A class whose pictures cannot be read is shown as a grey tile.

    Raises:
        DataError: the folder cannot be written to.
    """
    source = images(dataset)
    drawings: tuple[Callable[[], Figure], ...] = (
        lambda: samples_figure(dataset, source),
        lambda: attributes_figure(dataset),
        lambda: similarity_figure(dataset, source),
    )
    paths = []
    for done, (name, draw) in enumerate(zip(PICTURES, drawings, strict=True), start=1):
        paths.append(_save(draw(), folder / name))
        if progress is not None:
            progress(done, len(drawings))
    return paths


def samples_figure(dataset: Dataset, source: ImageSource) -> Figure:
    """One picture per class, unseen classes framed in their own colour and first."""
    unseen = unseen_classes(dataset)
    seen = np.setdiff1d(_shown_classes(dataset), unseen)
    chosen = [*unseen.tolist(), *seen.tolist()][:MAX_CLASSES]
    columns = min(10, len(chosen))
    num_rows = -(-len(chosen) // columns)
    figure = Figure(figsize=(1.35 * columns, 1.62 * num_rows + 0.7), layout="constrained")
    grid = figure.subplots(num_rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, class_id in zip(grid.flat, chosen, strict=False):
        colour = UNSEEN_COLOUR if class_id in unseen else SEEN_COLOUR
        _tile(axes, sample(dataset, source, class_id), dataset.class_names[class_id], colour)
    total = len(seen) + len(unseen)
    more = f", {len(chosen)} of {total} classes shown" if total > len(chosen) else ""
    figure.suptitle(
        f"{dataset.name}: {len(unseen)} unseen classes (red), {len(seen)} seen (blue){more}",
        fontsize=11,
    )
    return figure


def attributes_figure(dataset: Dataset) -> Figure:
    """Attributes by classes as a heat map; classes are ordered so that similar ones touch."""
    shown = _shown_classes(dataset)
    unseen = unseen_classes(dataset)
    seen = np.setdiff1d(shown, unseen)
    order = np.concatenate([_by_similarity(dataset, seen), _by_similarity(dataset, unseen)])
    columns = np.argsort(-dataset.attributes[order].std(axis=0), kind="stable")[:MAX_ATTRIBUTES]
    matrix = dataset.attributes[order][:, columns]
    height = float(np.clip(0.16 * len(order), 3.5, 13)) + 1.8
    width = float(np.clip(0.15 * len(columns), 6, 18)) + 2
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    top = float(np.quantile(matrix, 0.99)) or 1.0
    heat = axes.imshow(matrix, aspect="auto", cmap="magma_r", vmin=0, vmax=top, rasterized=True)
    axes.axhline(len(seen) - 0.5, color=UNSEEN_COLOUR, linewidth=1.5)
    _label_classes(axes, dataset, order, unseen)
    names = [_short(dataset.attribute_names[column], 28) for column in columns]
    axes.set_xticks(range(len(columns)), names, rotation=90, fontsize=6)
    total = dataset.attributes.shape[1]
    count = f"the {len(columns)} most varied of {total}" if total > len(columns) else f"{total}"
    axes.set_title(f"{dataset.name}: {count} attributes; unseen classes below the red line")
    figure.colorbar(heat, ax=axes, shrink=0.6, label="strength (rows of length 1)")
    return figure


def similarity_figure(dataset: Dataset, source: ImageSource) -> Figure:
    """Each unseen class beside the seen classes that are most like it by attributes."""
    unseen = unseen_classes(dataset)
    ids, cosines = nearest_seen(dataset)
    order = np.argsort(-cosines[:, 0], kind="stable")[: MAX_CLASSES // 2]
    figure = Figure(figsize=(1.5 * (ids.shape[1] + 2), 1.45 * len(order) + 0.9))
    figure.set_layout_engine("constrained")
    grid = figure.subplots(len(order), ids.shape[1] + 1, squeeze=False)
    for row, axes_row in zip(order, grid, strict=True):
        class_id = int(unseen[row])
        name = dataset.class_names[class_id]
        _tile(axes_row[0], sample(dataset, source, class_id), name, UNSEEN_COLOUR)
        for axes, near, cosine in zip(axes_row[1:], ids[row], cosines[row], strict=True):
            label = f"{_readable(dataset.class_names[near])}\ncos {cosine:.2f}"
            _tile(axes, sample(dataset, source, int(near)), label, SEEN_COLOUR)
    median = float(np.median(cosines[:, 0]))
    figure.suptitle(
        f"{dataset.name}: unseen classes (red) and their nearest seen\n"
        f"median cosine to the nearest {median:.2f}",
        fontsize=10,
    )
    return figure


def nearest_seen(
    dataset: Dataset,
) -> tuple[Int64[np.ndarray, "U n"], Float32[np.ndarray, "U n"]]:
    """For each of the U unseen classes the n seen ones of largest cosine, and the cosines."""
    unseen = unseen_classes(dataset)
    seen = np.setdiff1d(_shown_classes(dataset), unseen)
    cosines = dataset.attributes[unseen] @ dataset.attributes[seen].T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :NUM_NEIGHBOURS]
    return seen[order], np.take_along_axis(cosines, order, axis=1)


def unseen_classes(dataset: Dataset) -> Int64[np.ndarray, " U"]:
    return np.unique(dataset.labels[dataset.test_unseen])


def sample(dataset: Dataset, source: ImageSource, class_id: int) -> np.ndarray:
    """The class's first readable picture as a square; a grey one where none of three is."""
    for row in np.flatnonzero(dataset.labels == class_id)[:3]:
        try:
            picture = source.open_image(dataset.image_paths[row])
        except DataError:
            continue
        return square_pixels(picture, THUMBNAIL)
    return np.asarray(Image.new("RGB", (THUMBNAIL, THUMBNAIL), (MISSING_GREY,) * 3))


def _shown_classes(dataset: Dataset) -> Int64[np.ndarray, " K"]:
    """Classes that occur in a split."""
    rows = np.concatenate([dataset.trainval, dataset.test_seen, dataset.test_unseen])
    return np.unique(dataset.labels[rows])


def _by_similarity(dataset: Dataset, class_ids: Int64[np.ndarray, " K"]) -> Int64[np.ndarray, " K"]:
    """A walk from each class to the most similar one that is left."""
    cosines = dataset.attributes[class_ids] @ dataset.attributes[class_ids].T
    left = np.ones(len(class_ids), dtype=bool)
    walk = [int(np.argmin(cosines.mean(axis=1)))]
    left[walk[0]] = False
    while left.any():
        walk.append(int(np.argmax(np.where(left, cosines[walk[-1]], -np.inf))))
        left[walk[-1]] = False
    return class_ids[walk]


def _label_classes(
    axes: Any, dataset: Dataset, order: Int64[np.ndarray, " K"], unseen: Int64[np.ndarray, " U"]
) -> None:
    """Every name where there is room, else every n-th."""
    step = -(-len(order) // 100)
    places = list(range(0, len(order), step))
    names = [_short(_readable(dataset.class_names[order[place]]), 24) for place in places]
    axes.set_yticks(places, names, fontsize=6)
    for place, label in zip(places, axes.get_yticklabels(), strict=True):
        label.set_color(UNSEEN_COLOUR if order[place] in unseen else "black")


def _tile(axes: Any, pixels: np.ndarray, name: str, colour: str) -> None:
    axes.imshow(pixels)
    axes.set_axis_on()
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2.5)
    lines = [line for part in name.split("\n") for line in textwrap.wrap(_readable(part), 17)]
    axes.set_title("\n".join(lines[:3]), fontsize=7, color=colour, pad=3)


def _readable(class_name: str) -> str:
    """``002.Laysan_Albatross`` -> ``Laysan Albatross``."""
    head, dot, tail = class_name.partition(".")
    name = tail if dot and head.isdecimal() else class_name
    return name.replace("_", " ").replace("+", " ")


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _save(figure: Figure, path: Path) -> Path:
    FigureCanvasAgg(figure)
    try:
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", dpi=130)
    except OSError as error:
        raise DataError(
            f"{path} cannot be written: {error}", "give another --out folder"
        ) from error
    return path
