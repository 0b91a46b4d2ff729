"""Figs. 4 and 5: where attributes look, and which channels they use."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from PIL import Image

from drmn.archives import UNREADABLE, check_npz
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.images import images
from drmn.errors import ConfigError, DataError
from drmn.reading import shortened
from orchestration.report.drawing import SEQUENTIAL, Picture, figure, grid
from orchestration.report.results import Cell, Results
from orchestration.report.shown import Shown
from orchestration.study.files import EXPLANATION_FILE, StudyFolder

_NUM_IMAGES, _NUM_SHOWN_ATTRIBUTES = 4, 2
_NUM_ATTRIBUTES, _NUM_CHANNELS = 12, 64
_SIDE = 96

Explained = dict[str, np.ndarray]
"""Arrays of :func:`orchestration.study.training.explain`."""


def load_explained(folder: StudyFolder, cell: Cell) -> Explained:
    """What the first seed of a cell looked at.

    Raises:
        DataError: its file is absent or damaged.
    """
    path = folder.training(cell.first.key) / EXPLANATION_FILE
    try:
        check_npz(path)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read ({shortened(error)})",
            "remove the training's folder; the study's command makes it again",
        ) from error


def attention_figures(
    results: Results, baseline: Cell, full: Cell, folder: StudyFolder, shown: Shown
) -> Iterator[Picture]:
    """Figs. 4 and 5, where this machine has the data set that was trained on."""
    try:
        dataset = load_dataset(full.dataset, results.record.data_path)
    except DataError:
        return
    yield attention_maps(dataset, baseline, full, folder, shown)
    weights = channel_weights(dataset, full, folder)
    if weights is not None:
        yield weights


def attention_maps(
    dataset: Dataset, baseline: Cell, full: Cell, folder: StudyFolder, shown: Shown
) -> Picture:
    """Fig. 4: a few unseen images, their most telling attributes, baseline beside full model.

    Raises:
        ConfigError: ``shown`` names classes of which no image was kept.
    """
    plain, whole = load_explained(folder, baseline), load_explained(folder, full)
    indices = _kept_images(dataset, whole, shown.classes)
    given = [dataset.attribute_names.index(a) for a in shown.attributes
             if a in dataset.attribute_names]  # fmt: skip
    source, said = images(dataset), []
    columns = 1 + 2 * (len(given) or _NUM_SHOWN_ATTRIBUTES)
    drawn, axes = grid(len(indices), columns, 1.62 * len(indices))
    for line, index in zip(axes, indices, strict=True):
        row, label = int(whole["rows"][index]), int(whole["labels"][index])
        picture = _square(source.open_image(dataset.image_paths[row]))
        name = dataset.class_names[label]
        _show(line[0], picture, name)
        chosen = given or telling_attributes(dataset.attributes, label)
        for place, attribute in enumerate(chosen):
            word = dataset.attribute_names[attribute]
            for offset, (who, found) in enumerate(((baseline.row, plain), (full.row, whole))):
                cell_axes = line[1 + 2 * place + offset]
                _show(cell_axes, picture, f"{word}\n{who}")
                heat = _heat(found["attention"][index, attribute])
                cell_axes.imshow(heat, cmap=SEQUENTIAL, alpha=0.6, vmin=0, vmax=1)
            said.append(f"{name}: {word}")
    which = "the attributes asked for" if given else "two telling attributes of the class"
    return Picture(
        figure=drawn,
        caption=f"Fig. 4: attention of {which} on unseen images, {baseline.row} beside "
        f"{full.row}; bright: looked at. Each map is scaled to its own maximum. The images "
        "are the first of their classes, not chosen by result.",
        alt=f"Attention maps on images of unseen classes: {'; '.join(said)}.",
    )


def _kept_images(dataset: Dataset, found: Explained, classes: tuple[str, ...]) -> list[int]:
    kept = [dataset.class_names[int(label)] for label in found["labels"]]
    wanted = [name for name in classes if name in dataset.class_names]
    for name in wanted:
        if name not in kept:
            raise ConfigError(
                f"no image of {name!r} was kept for Fig. 4; those kept: {', '.join(kept)}"
            )
    return [kept.index(name) for name in wanted] or list(range(min(_NUM_IMAGES, len(kept))))


def _show(axes: Axes, picture: np.ndarray, title: str) -> None:
    axes.imshow(picture)
    axes.set_title(title, fontsize=8)
    axes.set_axis_off()


def channel_weights(dataset: Dataset, full: Cell, folder: StudyFolder) -> Picture | None:
    """Fig. 5: channel-attention weights of the attributes that differ most from the mean."""
    found = load_explained(folder, full).get("channel_weights")
    if found is None:
        return None
    weights = found.astype(np.float32)
    spread = np.square(weights - weights.mean(axis=0)).sum(axis=1)
    attributes = np.sort(np.argsort(-spread)[:_NUM_ATTRIBUTES])
    channels = np.argsort(-weights[attributes].std(axis=0))[:_NUM_CHANNELS]
    drawn, axes = figure(1.2 + 0.27 * len(attributes))
    image = axes.imshow(
        weights[np.ix_(attributes, channels)], cmap=SEQUENTIAL, aspect="auto", vmin=0, vmax=1
    )
    axes.set_yticks(
        range(len(attributes)), [dataset.attribute_names[a] for a in attributes], fontsize=9
    )
    axes.set_xlabel(f"the {len(channels)} channels whose weights vary most, by variation")
    drawn.colorbar(image, ax=axes, label="weight η")
    low, high = float(weights.min()), float(weights.max())
    return Picture(
        figure=drawn,
        caption=f"Fig. 5: channel-attention weights (Eq. 4), row {full.row}, mean over the images "
        f"of Fig. 4; over all attributes and channels they range from {low:.2f} to {high:.2f}.",
        alt=f"Channel weights of {len(attributes)} attributes as a heat map.",
    )


def telling_attributes(attributes: Float[np.ndarray, "K A"], class_id: int) -> list[int]:
    """The attributes in which a class stands out from the mean of all classes."""
    excess = attributes[class_id] - attributes.mean(axis=0)
    return [int(index) for index in np.argsort(-excess)[:_NUM_SHOWN_ATTRIBUTES]]


def _square(picture: Image.Image) -> np.ndarray:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    cropped = picture.crop((left, top, left + side, top + side))
    return np.asarray(cropped.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC))


def _heat(attention: np.ndarray) -> np.ndarray:
    """A map over R regions as pixels, scaled to its own maximum."""
    side = round(len(attention) ** 0.5)
    regions = attention.astype(np.float32).reshape(side, -1)
    pixels = Image.fromarray(regions / max(float(regions.max()), 1e-12))
    return np.asarray(pixels.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
