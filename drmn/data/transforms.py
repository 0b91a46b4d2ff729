"""From a picture to a backbone's input: square pixels, ImageNet's normalisation, augmentation.

S is the image size in pixels. Pixels are kept as bytes, channels last, until the last moment:
they are four times smaller than floats, and their permutation is the memory layout that
convolutions run fastest on.
"""

from collections.abc import Iterable
from concurrent.futures import Executor

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from drmn.data.images import ImageSource

MEAN = (0.485, 0.456, 0.406)  # ImageNet's, of RGB in 0..1
STD = (0.229, 0.224, 0.225)
MIN_CROP = 0.8  # shortest side of a random crop, as a share of S

Pixels = UInt8[np.ndarray, "S S 3"]


def describe(image_size: int) -> dict[str, object]:
    """Everything that decides what the backbone is given, for the key of cached features."""
    return {
        "image_size": image_size,
        "crop": "central square",
        "resize": "bicubic, antialiased",
        "mean": list(MEAN),
        "std": list(STD),
    }


def square_pixels(image: Image.Image, image_size: int) -> Pixels:
    """The central square of an RGB picture, resized to S x S (bicubic, antialiased)."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    resized = image.resize(
        (image_size, image_size),
        Image.Resampling.BICUBIC,
        box=(left, top, left + side, top + side),
    )
    return np.asarray(resized)


def read_pixels(
    source: ImageSource, tails: Iterable[str], image_size: int, threads: Executor
) -> list[Pixels]:
    """Square pixels of several pictures, decoded side by side (decoders release the GIL).

    Raises:
        DataError: a picture is absent or broken.
    """
    return list(threads.map(lambda t: square_pixels(source.open_image(t), image_size), tails))


def normalise(pixels: UInt8[Tensor, "B S S 3"]) -> Float[Tensor, "B 3 S S"]:
    """``(x / 255 - mean) / std`` per channel, in the channels-last memory layout."""
    mean, std = (torch.tensor(values, device=pixels.device) for values in (MEAN, STD))
    return pixels.float().div_(255).sub_(mean).div_(std).permute(0, 3, 1, 2)


def flip(images: Float[Tensor, "B 3 S S"], generator: torch.Generator) -> Float[Tensor, "B 3 S S"]:
    """Each image mirrored left to right, or not, with equal chance."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def crop_flip(
    images: Float[Tensor, "B 3 S S"], generator: torch.Generator
) -> Float[Tensor, "B 3 S S"]:
    """A random square of side MIN_CROP..1 of each image, back at S x S (bilinear), then a flip."""
    side, across, down = torch.rand(3, len(images), generator=generator)
    side = MIN_CROP + (1 - MIN_CROP) * side
    theta = torch.zeros(len(images), 2, 3)  # output to input coordinates, both in -1..1
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, 0, 2] = (1 - side) * (2 * across - 1)
    theta[:, 1, 2] = (1 - side) * (2 * down - 1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    cropped = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return flip(cropped, generator)
