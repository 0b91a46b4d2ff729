"""Figs. 4 and 5: where attributes look, and which channels they use."""

import numpy as np
from jaxtyping import Float
from PIL import Image

from drmn.data.dataset import Dataset
from drmn.data.images import images
from orchestration.report.drawing import SEQUENTIAL, Picture, figure, grid
from orchestration.report.results import Cell
from orchestration.study.files import EXPLANATION_FILE, StudyFolder

_NUM_IMAGES, _NUM_SHOWN_ATTRIBUTES = 4, 2
_NUM_ATTRIBUTES, _NUM_CHANNELS = 12, 64
_SIDE = 96

Explained = dict[str, np.ndarray]
"""Arrays of :func:`orchestration.study.training.explain`."""


def load_explained(folder: StudyFolder, cell: Cell) -> Explained:
    """What the first seed of a cell looked at."""
    with np.load(folder.training(cell.first.key) / EXPLANATION_FILE, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def attention_maps(dataset: Dataset, baseline: Cell, full: Cell, folder: StudyFolder) -> Picture:
    """Fig. 4: a few unseen images, their most telling attributes, baseline beside full model."""
    plain, whole = load_explained(folder, baseline), load_explained(folder, full)
    count = min(_NUM_IMAGES, len(whole["rows"]))
    source = images(dataset)
    drawn, axes = grid(count, 1 + 2 * _NUM_SHOWN_ATTRIBUTES, 1.62 * count)
    said = []
    for line, index in zip(axes, range(count), strict=True):
        row = int(whole["rows"][index])
        picture = _square(source.open_image(dataset.image_paths[row]))
        name = dataset.class_names[int(dataset.labels[row])]
        chosen = telling_attributes(dataset.attributes, int(dataset.labels[row]))
        line[0].imshow(picture)
        line[0].set_title(name, fontsize=8)
        for place, attribute in enumerate(chosen):
            word = dataset.attribute_names[attribute]
            for offset, (who, found) in enumerate((("baseline", plain), ("full", whole))):
                cell_axes = line[1 + 2 * place + offset]
                cell_axes.imshow(picture)
                cell_axes.imshow(
                    _heat(found["attention"][index, attribute]),
                    cmap=SEQUENTIAL,
                    alpha=0.6,
                    vmin=0,
                    vmax=1,
                )
                cell_axes.set_title(f"{word}\n{who}", fontsize=8)
            said.append(f"{name}: {word}")
        for each in line:
            each.set_axis_off()
    return Picture(
        figure=drawn,
        caption="Fig. 4: attention of two telling attributes of the class on unseen images, "
        f"{baseline.row} beside {full.row}; bright: looked at. Each map is scaled to its own "
        "maximum. The images are the first of their classes, not chosen by result.",
        alt=f"Attention maps on images of unseen classes: {'; '.join(said)}.",
    )


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
