"""A model of a tiny run, made as a sweep makes its own."""

from pathlib import Path

import numpy as np
from tiny_runs import (
    NUM_ATTRIBUTES,
    NUM_CLASSES,
    ArrayImages,
    row_labels,
    tiny_config,
    tiny_split,
)

from drmn.data.dataset import Dataset
from drmn.deployed.making import make_model, record_of
from drmn.deployed.saved_model import SavedModel
from drmn.training import Trainer

LIVE = {
    "backbone__name": "resnet18",
    "backbone__train": "last",
    "data__image_size": 32,
    "training__steps_per_epoch": 1,
    "training__classes_per_batch": 2,
    "model__fusion__channels": 8,
}
ATTRIBUTE_NAMES = tuple(f"attribute {a}" for a in range(NUM_ATTRIBUTES))


def tiny_dataset() -> Dataset:
    """What :func:`tiny_runs.tiny_split` is a split of."""
    split = tiny_split("test")
    return Dataset(
        name="tiny",
        root=Path("tiny"),
        image_paths=tuple(f"{row}.png" for row in range(len(row_labels()))),
        labels=row_labels(),
        class_names=tuple(f"class {k}" for k in range(NUM_CLASSES)),
        attribute_names=ATTRIBUTE_NAMES,
        attributes=split.attributes,
        trainval=split.train.rows,
        test_seen=split.eval_seen.rows,
        test_unseen=split.eval_unseen.rows,
        data_hash="d" * 16,
        split_hash="e" * 16,
    )


def tiny_trainer(**overrides) -> Trainer:
    """A live run after one epoch."""
    trainer = Trainer(tiny_config(**LIVE, **overrides), tiny_split("test"), ArrayImages())
    trainer.train_epoch()
    return trainer


def model_of(trainer: Trainer, *, include_backbone: bool = True) -> SavedModel:
    record = record_of(trainer.config, tiny_dataset(), trainer.split, trainer.evaluate())
    return make_model(
        trainer.state(),
        trainer.config,
        tiny_dataset(),
        trainer.split,
        record,
        manifest=None,
        include_backbone=include_backbone,
    )


def tiny_pixels(num_images: int) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return list(random.integers(0, 256, (num_images, 32, 32, 3), dtype=np.uint8))
