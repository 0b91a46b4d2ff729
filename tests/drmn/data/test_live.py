"""Images for tuned backbones: order, augmentation, and a cache that keeps to its bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from drmn.config import Config
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.images import ImageSource, images
from drmn.data.live import LiveSource
from drmn.data.transforms import normalise
from drmn.errors import DataError

SIZE = 32
PIXEL_BYTES = SIZE * SIZE * 3
ROWS = np.array([7, 0, 29, 7])


class Counted:
    """Counts how often each picture is opened."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source
        self.opened: list[str] = []

    @property
    def location(self) -> Path:
        return self._source.location

    def has(self, tail: str) -> bool:
        return self._source.has(tail)

    def fingerprint(self, tails: Sequence[str]) -> str:
        return self._source.fingerprint(tails)

    def open_image(self, tail: str) -> Image.Image:
        self.opened.append(tail)
        return self._source.open_image(tail)


@pytest.fixture
def dataset(layout: Any) -> Dataset:
    layout.draw()
    return load_dataset("tiny", layout.write())


def _config(augmentation: str = "none") -> Config:
    settings = {"training.augmentation": augmentation, "backbone.train": "all"}
    return Config().with_overrides({**settings, "data.image_size": SIZE})


def test_rows_come_in_the_order_asked_for(dataset: Dataset) -> None:
    found = LiveSource(dataset, _config()).images(ROWS)
    red = np.zeros((len(ROWS), SIZE, SIZE, 3), np.uint8)
    red[..., 0] = 8 * ROWS[:, None, None]
    torch.testing.assert_close(found, normalise(torch.from_numpy(red)))


@pytest.mark.parametrize(("room", "opened_again"), [(0, 3), (2, 1), (30, 0)])
def test_the_cache_keeps_to_its_bytes(dataset: Dataset, room: int, opened_again: int) -> None:
    pictures = Counted(images(dataset))
    source = LiveSource(
        dataset, _config(), cache_bytes=room * PIXEL_BYTES + PIXEL_BYTES // 2, pictures=pictures
    )
    first = source.images(ROWS)
    assert len(pictures.opened) == 3  # a row asked for twice is read once
    assert torch.equal(source.images(ROWS), first)
    assert len(pictures.opened) == 3 + opened_again


@pytest.mark.parametrize("augmentation", ["flip", "crop_flip"])
def test_only_a_generator_brings_augmentation(dataset: Dataset, augmentation: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    for tail in dataset.image_paths:
        Image.fromarray(noise).save(dataset.root / "images" / tail, "PNG")
    source = LiveSource(dataset, _config(augmentation))
    rows = np.arange(16)
    plain = source.images(rows)
    assert torch.equal(plain, LiveSource(dataset, _config()).images(rows, torch.Generator()))
    one, same = (source.images(rows, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one, same)
    assert not torch.equal(one, plain)


def test_a_broken_picture_is_named(dataset: Dataset) -> None:
    (dataset.root / "images" / dataset.image_paths[29]).write_bytes(b"no picture")
    with pytest.raises(DataError, match=rf"{dataset.image_paths[29]}.*row 29"):
        LiveSource(dataset, _config()).images(ROWS)
