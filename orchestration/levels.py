"""Backbone levels for trials: computed once before them, or live where the backbone is tuned."""

from pathlib import Path

import torch
from rich.console import Console

from drmn.config import Config
from drmn.data.dataset import Dataset
from drmn.data.live import LiveSource
from drmn.data.store.compatibility import check_fits
from drmn.data.store.features import FeatureStore, LevelSource
from drmn.data.store.given_features import GIVEN, check_needs_no_regions, ensure_given_features
from drmn.data.store.making import ensure_features
from drmn.data.store.remote_features import RemoteFeatureStore
from drmn.data.store.shard_cache import ShardCache
from drmn.data.store.storage import Storage
from drmn.errors import ConfigError
from orchestration.progress import progress
from orchestration.settings import place_of, read_settings


def prepare_levels(
    dataset: Dataset,
    config: Config,
    cache_root: Path,
    console: Console,
    published: str | None = None,
) -> str | None:
    """Place of the feature store, extracted now if it is not there; None for live levels.

    Args:
        published: a store to use instead; it must be the one that would be extracted.

    Raises:
        ConfigError: features that were given are asked to serve a variant that needs regions, or
            a store to serve a backbone that is tuned.
        DataError: an image or the weights cannot be read; no partial store is left behind. Or
            ``published`` holds other features.
    """
    if config.backbone.train != "none":
        _check_unused(published, config)
        return None
    if config.backbone.weights == GIVEN:
        check_needs_no_regions(config)
    if published is not None:
        check_fits(open_store(published), dataset, config.backbone, config.data.image_size)
        return published
    if config.backbone.weights == GIVEN:
        return str(ensure_given_features(dataset, cache_root).path)
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
    """The store at ``features``, a folder or s3://, by memory map; or images to tune on."""
    if features is None:
        return LiveSource(dataset, config)
    return open_store(features)


def open_store(place: str) -> FeatureStore:
    """The store in a folder, or at a URI through this node's cache."""
    if "://" in place:
        return RemoteFeatureStore.connect(Storage(place_of(place)), node_cache())
    return FeatureStore.open(Path(place))


def _check_unused(published: str | None, config: Config) -> None:
    if published is not None:
        raise ConfigError(
            f"--features gives levels of a frozen backbone, but backbone.train is "
            f"{config.backbone.train!r}",
            "leave --features out, or set backbone.train=none",
        )


def node_cache() -> ShardCache:
    """Where this node keeps files of remote stores."""
    return ShardCache(read_settings().cache_root / "shards")


def weights_hash(features: str) -> str:
    """Of the backbone that computed the store at ``features``."""
    return str(open_store(features).manifest.settings.get("weights_hash", GIVEN))
