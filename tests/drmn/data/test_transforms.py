"""Pixels, normalisation and augmentation."""

import numpy as np
import pytest
import torch
from PIL import Image

from drmn.data.transforms import MEAN, STD, crop_flip, flip, normalise, square_pixels

SIZE = 16


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(64, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (5, 3), (SIZE, SIZE)])
def test_the_central_square_is_kept(shape: tuple[int, int]) -> None:
    width, height = shape
    side = min(shape)
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    pixels[top : top + side, left : left + side] = 200
    square = square_pixels(Image.fromarray(pixels), SIZE)
    assert square.shape == (SIZE, SIZE, 3)
    np.testing.assert_allclose(square[2:-2, 2:-2], 200, atol=20)


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    np.testing.assert_array_equal(square_pixels(Image.fromarray(pixels), SIZE), pixels)


def test_normalisation_is_imagenets() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    expected = (pixels / 255 - MEAN) / STD
    found = normalise(torch.from_numpy(pixels))
    np.testing.assert_allclose(found.permute(0, 2, 3, 1).numpy(), expected, atol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_a_flip_mirrors_some_images_and_leaves_the_rest(images: torch.Tensor) -> None:
    flipped = flip(images, torch.Generator().manual_seed(0))
    same = (flipped == images).flatten(1).all(1)
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 0.25 < same.float().mean() < 0.75


def test_crops_stay_inside_the_image() -> None:
    ramp = torch.linspace(0, 1, SIZE).expand(64, 3, SIZE, SIZE)  # brightness grows to the right
    cropped = crop_flip(ramp, torch.Generator().manual_seed(0))
    across = cropped[:, 0, 0]
    span = (across[:, -1] - across[:, 0]).abs()
    assert cropped.shape == ramp.shape
    assert cropped.min() >= 0
    assert cropped.max() <= 1
    assert 0.7 < span.min() < 0.85 < span.max() < 1.01


@pytest.mark.parametrize("augment", [flip, crop_flip])
def test_augmentation_follows_its_generator(augment: object, images: torch.Tensor) -> None:
    assert callable(augment)
    one, other = (augment(images, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one, augment(images, torch.Generator().manual_seed(4)))
