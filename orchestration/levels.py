"""Backbone levels for trials: computed once before them, or live where the backbone is tuned."""

from pathlib import Path

import torch
from rich.console import Console

from drmn.config import Config
from drmn.data.dataset import Dataset
from drmn.data.features import FeatureStore, LevelSource, ensure_features
from drmn.data.live import LiveSource
from orchestration.progress import progress


def prepare_levels(
    dataset: Dataset, config: Config, cache_root: Path, console: Console
) -> str | None:
    """Folder of the feature store, extracted now if it is not there; None for live levels.

    Raises:
        DataError: an image or the weights cannot be read; no partial store is left behind.
    """
    if config.backbone.train != "none":
        return None
    with progress(console, f"{config.backbone.name} features of {dataset.name}") as report:
        store = ensure_features(
            dataset,
            config.backbone,
            config.data.image_size,
            cache_root,
            progress=report,
            device="cuda" if torch.cuda.is_available() else "cpu",
        )
    return str(store.path)


def open_levels(dataset: Dataset, config: Config, features: str | None) -> LevelSource | LiveSource:
    """The store at ``features`` by memory map, or images for a tuned backbone."""
    if features is not None:
        return FeatureStore.open(Path(features))
    return LiveSource(dataset, config)
