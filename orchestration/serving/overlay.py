"""Where a picture's strongest attributes were found (Eq. 1), drawn over the picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from drmn.atomic import replacing
from drmn.deployed.prediction import Prediction
from orchestration.report.drawing import SEQUENTIAL, grid, png
from orchestration.serving.answers import top_attributes

_SIDE = 224
_HEIGHT_INCHES = 2.0
MAX_OVERLAID = 5


def save_overlay(
    path: Path,
    pixels: UInt8[np.ndarray, "S S 3"],
    prediction: Prediction,
    attribute_names: Sequence[str],
    *,
    title: str,
    count: int,
) -> None:
    """A PNG: the picture as the model saw it, then one attention map per attribute."""
    chosen = top_attributes(prediction, count)
    drawn, ((first, *others),) = grid(1, 1 + len(chosen), _HEIGHT_INCHES)
    first.imshow(pixels)
    first.set_title(title, fontsize=7)
    first.set_axis_off()
    for axes, attribute in zip(others, chosen, strict=True):
        heat = heat_map(prediction.attention[attribute].numpy())
        axes.imshow(pixels, extent=(0, _SIDE, _SIDE, 0))
        axes.imshow(heat, cmap=SEQUENTIAL, alpha=0.6, vmin=0, vmax=1, extent=(0, _SIDE, _SIDE, 0))
        axes.set_title(attribute_names[attribute], fontsize=7)
        axes.set_axis_off()
    with replacing(path) as temporary:
        temporary.write_bytes(png(drawn))


def heat_map(attention: Float[np.ndarray, " R"]) -> Float[np.ndarray, "side side"]:
    """A map over R regions as pixels, scaled to its own maximum."""
    side = round(len(attention) ** 0.5)
    regions = attention.astype(np.float32).reshape(side, -1)
    scaled = Image.fromarray(regions / max(float(regions.max()), 1e-12))
    return np.asarray(scaled.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
