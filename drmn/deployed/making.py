"""From a finished training to a model that can be kept."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from drmn.accuracy import class_accuracies
from drmn.config import BackboneConfig, Config
from drmn.data.dataset import Dataset
from drmn.data.splits import Split
from drmn.data.store.given_features import GIVEN
from drmn.data.store.manifest import Manifest
from drmn.deployed.saved_model import Record, SavedBackbone, SavedModel
from drmn.errors import DataError
from drmn.inference import gzsl_predict
from drmn.logits import Logits
from drmn.metrics import score
from drmn.model.backbone import Backbone, build_backbone
from drmn.model.levels import LevelSpec

_TRAINING_ONLY = "sit."


def record_of(
    config: Config,
    dataset: Dataset,
    split: Split,
    logits: Logits,
    selection: Mapping[str, str | float] | None = None,
) -> Record:
    """What an evaluation measured; ``logits`` are those of ``split``'s evaluation part."""
    predictions = gzsl_predict(logits.o, logits.g, logits.seen, config.inference)
    found = class_accuracies(predictions, logits.labels, len(split.class_names))
    evaluated = torch.bincount(logits.labels, minlength=len(found)) > 0
    return Record(
        dataset=dataset.name,
        data_hash=dataset.data_hash,
        split_hash=split.hash,
        protocol=split.protocol,
        scores=score(logits, config.inference),
        class_accuracies={
            split.class_names[k]: float(found[k]) for k in evaluated.nonzero().flatten().tolist()
        },
        selection=selection,
    )


def make_model(
    state: Mapping[str, Any],
    config: Config,
    dataset: Dataset,
    split: Split,
    record: Record,
    *,
    manifest: Manifest | None,
    include_backbone: bool = True,
) -> SavedModel:
    """A model of a trainer's state (:meth:`drmn.training.Trainer.state`, or a checkpoint's).

    Args:
        manifest: of the feature store that was trained on; None for a live backbone.
        include_backbone: False leaves the weights that were not tuned out: whoever uses the model
            must have the file they came from.

    Raises:
        DataError: the backbone's weights cannot be had, or are not those of the training.
    """
    weights = state["weights"]
    kept = {name: each for name, each in weights["model"].items() if _is_used(name)}
    network = None if config.backbone.weights == GIVEN else build_backbone(config.backbone)
    saved, specs, level_dtype = None, tuple[LevelSpec, ...](), None
    if manifest is not None:
        specs, level_dtype = manifest.levels, manifest.dtype
    if network is not None:
        trained_with = weights if manifest is None else manifest.settings
        saved = _saved_backbone(network, config.backbone, trained_with, include=include_backbone)
        specs = network.specs(config.data.image_size)
    return SavedModel(
        config=config,
        class_names=split.class_names,
        attribute_names=dataset.attribute_names,
        attributes=torch.from_numpy(split.attributes.copy()),
        seen=torch.from_numpy(split.seen.copy()),
        specs=specs,
        level_dtype=level_dtype,
        weights=_on_cpu(kept),
        backbone=saved,
        record=record,
    )


def _is_used(name: str) -> bool:
    return not name.startswith(_TRAINING_ONLY)


def _saved_backbone(
    network: Backbone, config: BackboneConfig, trained: Mapping[str, Any], *, include: bool
) -> SavedBackbone:
    """``trained`` is a live pipeline's state, or the settings of a feature store."""
    wanted = trained.get("backbone_hash", trained.get("weights_hash"))
    check_weights(config, network.weights_hash, str(wanted))
    tuned = trained["backbone"] if "backbone_hash" in trained else {}
    network.load_state_dict(tuned, strict=False)
    return SavedBackbone(
        source=config.weights,
        weights_hash=network.weights_hash,
        included=include,
        entries=_on_cpu(network.state_dict() if include else tuned),
    )


def check_weights(config: BackboneConfig, found: str, wanted: str) -> None:
    """Raises DataError unless a backbone was built from the weights that a model needs."""
    if found != wanted:
        raise DataError(
            f"the weights {config.weights} of {config.name} have the hash {found}, but the model "
            f"was trained with those of hash {wanted}",
            "give the weights file of the training",
        )


def _on_cpu(tensors: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Shaped[Tensor, "..."]]:
    """Tight copies: a view would drag its whole storage into the file."""
    return {name: each.detach().cpu().clone() for name, each in tensors.items()}
