"""A run small enough for a test: six classes, four levels of a few channels, all in memory."""

import numpy as np
import torch

from drmn.config import Config
from drmn.data.live import LiveSource
from drmn.data.splits import Partition, Split
from drmn.model.levels import LevelSpec

NUM_CLASSES, NUM_SEEN, NUM_ATTRIBUTES = 6, 4, 5
TRAIN_IMAGES, TEST_IMAGES = 6, 3  # per class
SPECS = (LevelSpec(6, 3, 3), LevelSpec(4, 3, 3), LevelSpec(8, 3, 3), LevelSpec(10, 2, 2))

OVERRIDES = {
    "model.sit.heads": 2,
    "optimiser.lr": 1e-2,
    "training.classes_per_batch": 4,
    "training.images_per_class": 2,
    "training.steps_per_epoch": 3,
    "training.epochs": 4,
}


def tiny_config(**overrides) -> Config:
    """Dots of a path are written as double underscores: ``model__sit__dropout=0.0``."""
    named = {path.replace("__", "."): value for path, value in overrides.items()}
    return Config().with_overrides({**OVERRIDES, **named})


def tiny_split(protocol: str = "validation") -> Split:
    """Rows 0.. are grouped by class; unseen classes have evaluation images only."""
    labels = row_labels()
    first = np.arange(len(labels)) % (TRAIN_IMAGES + TEST_IMAGES) < TRAIN_IMAGES
    is_seen = labels < NUM_SEEN

    def part(mask: np.ndarray) -> Partition:
        rows = np.flatnonzero(mask)
        return Partition(rows=rows, labels=labels[rows])

    attributes = np.random.default_rng(0).random((NUM_CLASSES, NUM_ATTRIBUTES), dtype=np.float32)
    return Split(
        protocol=protocol,
        class_ids=np.arange(NUM_CLASSES),
        class_names=tuple(f"class {k}" for k in range(NUM_CLASSES)),
        attributes=attributes,
        seen=np.arange(NUM_CLASSES) < NUM_SEEN,
        train=part(is_seen & first),
        eval_seen=part(is_seen & ~first),
        eval_unseen=part(~is_seen),
        hash="0" * 16,
    )


def row_labels() -> np.ndarray:
    return np.repeat(np.arange(NUM_CLASSES), TRAIN_IMAGES + TEST_IMAGES)


class ArraySource:
    """Levels with a trace of the class in every channel; remembers the rows it was asked for."""

    specs = SPECS

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        random = torch.Generator().manual_seed(0)
        labels = torch.from_numpy(row_labels())
        self._levels = []
        for spec in SPECS:
            signal = torch.randn(NUM_CLASSES, 1, 1, spec.channels, generator=random)
            noise = torch.randn(len(labels), *spec.shape, generator=random)
            self._levels.append((signal[labels] + 0.5 * noise).to(dtype))
        self.asked: list[np.ndarray] = []

    def levels(self, rows: np.ndarray) -> tuple[torch.Tensor, ...]:
        self.asked.append(rows)
        return tuple(level[torch.from_numpy(rows)] for level in self._levels)


class ArrayImages(LiveSource):
    """Images for a live backbone: flat colours per class, with noise."""

    def __init__(self, image_size: int = 32) -> None:
        random = torch.Generator().manual_seed(0)
        labels = torch.from_numpy(row_labels())
        colours = torch.randn(NUM_CLASSES, 3, 1, 1, generator=random)
        noise = torch.randn(len(labels), 3, image_size, image_size, generator=random)
        self._images = colours[labels] + 0.5 * noise

    def images(self, rows: np.ndarray, generator: torch.Generator | None = None) -> torch.Tensor:
        batch = self._images[torch.from_numpy(rows)]
        if generator is not None:
            batch = batch + 0.1 * torch.randn(batch.shape, generator=generator)
        return batch
