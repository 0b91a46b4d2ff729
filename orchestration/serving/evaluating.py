"""A model's own table, measured anew: the same images, the same scores."""

from dataclasses import dataclass
from pathlib import Path

import torch

from drmn.data.dataset import Dataset
from drmn.data.images import images
from drmn.data.live import LiveSource
from drmn.data.splits import Split, test_split, validation_split
from drmn.data.store.features import FeatureStore, LevelSource
from drmn.data.store.given_features import ensure_given_features
from drmn.data.store.making import feature_settings, features_folder
from drmn.deployed.making import record_of
from drmn.deployed.network import DeployedNetwork, DeployedReader
from drmn.deployed.saved_model import Record, SavedModel
from drmn.distributed import ALONE
from drmn.errors import DataError
from drmn.evaluation import evaluate
from drmn.names import BETA_EXACT, GZSL_HARMONIC_AT_BETA_EXACT

ROUNDING = 1e-12
"""Scores that differ by less are the same fraction, added up in another order."""

_CALIBRATED = (BETA_EXACT, GZSL_HARMONIC_AT_BETA_EXACT)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a model's record says, and what was found now."""

    recorded: Record
    found: Record

    @property
    def differing(self) -> list[str]:
        """Names of scores, and of classes, that are not what was recorded."""
        pairs = [
            (self.recorded.scores, self.found.scores),
            (self.recorded.class_accuracies, self.found.class_accuracies),
        ]
        return [
            name
            for recorded, found in pairs
            for name in {**recorded, **found}
            if name not in _CALIBRATED
            and not abs(recorded.get(name, -1.0) - found.get(name, -2.0)) <= ROUNDING
        ]


def reevaluate(
    saved: SavedModel, dataset: Dataset, cache_root: Path, device: torch.device
) -> Comparison:
    """Evaluate ``saved`` on the images it was evaluated on when it was made.

    Features that are in the cache are read, as then; else they come from the model's own backbone.

    Raises:
        DataError: the data set, or its split, is not that of the record.
    """
    split = _split(saved, dataset)
    network = DeployedNetwork(saved, device)
    source = _source(saved, dataset, cache_root)
    logits = evaluate(DeployedReader(network, source), split, ALONE)
    found = record_of(saved.config, dataset, split, logits, saved.record.selection)
    return Comparison(recorded=saved.record, found=found)


def _split(saved: SavedModel, dataset: Dataset) -> Split:
    record = saved.record
    final = record.protocol == "test"
    split = test_split(dataset) if final else validation_split(dataset, saved.config.validation)
    expected = {"data": record.data_hash, "split": record.split_hash}
    found = {"data": dataset.data_hash, "split": split.hash}
    for what, wanted in expected.items():
        if found[what] != wanted:
            raise DataError(
                f"the {what} of {dataset.name} in {dataset.root} has the hash {found[what]}, but "
                f"the model was evaluated on {wanted} ({record.dataset}): other images or labels",
                "give the data set that the model was trained on with --dataset and --data-root",
            )
    return split


def _source(saved: SavedModel, dataset: Dataset, cache_root: Path) -> LevelSource | LiveSource:
    if saved.backbone is None:
        return ensure_given_features(dataset, cache_root)
    if saved.level_dtype is not None:
        config = saved.config
        settings = feature_settings(
            dataset,
            config.backbone.name,
            saved.backbone.weights_hash,
            config.data.image_size,
            pictures=images(dataset).fingerprint(dataset.image_paths),
            dtype=saved.level_dtype,
        )
        folder = features_folder(settings, cache_root)
        if folder.is_dir():
            return FeatureStore.open(folder)
    return LiveSource(dataset, saved.config)
