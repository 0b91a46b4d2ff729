"""One training of a study, as Tune runs it anywhere in the cluster.

Epoch by epoch; at its end the evaluation part is read once, and logits and explanations go to the
study's storage as a Tune checkpoint, which the driver fetches.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from ray import tune

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.splits import Split, test_split, validation_split
from drmn.data.store.features import FeatureStore
from drmn.data.store.given_features import GIVEN
from drmn.names import EPOCH
from drmn.places import store_errors
from drmn.training import Trainer
from orchestration.checkpoints import outlasting
from orchestration.levels import open_levels
from orchestration.provenance.load import LoadMeter
from orchestration.provenance.machine import MACHINE, machine
from orchestration.study.definition import Part
from orchestration.study.files import EXPLANATION_FILE, LOGITS_FILE

DURATION, WEIGHTS_HASH = "duration_s", "weights_hash"
"""Keys of the last report, beside the epoch's metrics."""

_NUM_EXPLAINED = 6


@dataclass(frozen=True, kw_only=True)
class TrainingContext:
    """What all trainings of a study share: plain values, so that it can be sent to any node."""

    part: Part
    data_root: str
    features: dict[str, str | None]
    """Folder of each backbone recipe's feature store (see :func:`features_key`)."""
    num_threads: int
    store_wait_s: float = 0.0
    """How long a training waits for a storage that is away."""


def features_key(config: Config) -> str:
    """Two configurations with the same key read the same levels."""
    backbone = config.backbone
    parts = [config.data.dataset, backbone.name, backbone.weights, backbone.train]
    return "/".join([*parts, str(config.data.image_size)])


def study_split(dataset: Dataset, config: Config, part: Part) -> Split:
    """The images a study trains and evaluates on."""
    return test_split(dataset) if part == "test" else validation_split(dataset, config.validation)


def run_training(flat: dict[str, Scalar], context: TrainingContext) -> None:
    """Train the flat configuration to its end, with a report to Tune per epoch."""
    torch.set_num_threads(context.num_threads)
    started = time.perf_counter()
    trainer, weights_hash = _trainer(flat, context)
    load = LoadMeter(trainer.device)
    for _ in range(trainer.config.training.epochs - 1):
        result = trainer.train_epoch(evaluate=False)
        tune.report({**result.metrics, **load.take(), EPOCH: result.epoch})
    result = trainer.train_epoch(evaluate=False)
    logits = trainer.evaluate()
    with tempfile.TemporaryDirectory(prefix="drmn-study-") as name:
        folder = Path(name)
        logits.save(folder / LOGITS_FILE)
        np.savez_compressed(folder / EXPLANATION_FILE, allow_pickle=False, **explain(trainer))
        last = {
            **result.metrics,
            **load.take(),
            EPOCH: result.epoch,
            DURATION: time.perf_counter() - started,
            MACHINE: machine(trainer.device),
            WEIGHTS_HASH: weights_hash,
        }
        outlasting(context.store_wait_s, lambda: _keep(last, folder))


def _keep(last: dict[str, Any], folder: Path) -> None:
    """Report the end, with the files that belong to it."""
    with store_errors("the training's files cannot be stored"):
        tune.report(last, checkpoint=tune.Checkpoint.from_directory(folder))


def explain(trainer: Trainer) -> dict[str, np.ndarray]:
    """Attention maps, channel weights and attribute scores of a few evaluation images.

    The first images of the unseen classes, one each: rows ``[n]``, labels ``[n]``, attention
    ``[n A R]``, scores ``[n A]`` and, with channel attention, channel_weights ``[A C]`` (their
    mean over the images).
    """
    part = trainer.split.eval_unseen
    _, first = np.unique(part.labels, return_index=True)
    chosen = first[:_NUM_EXPLAINED]
    rows: Int64[np.ndarray, " n"] = part.rows[chosen]
    network = trainer.network.eval()
    with torch.inference_mode():
        inputs = tuple(each.to(trainer.device) for each in network.read(rows))
        levels = inputs if network.backbone is None else network.backbone(inputs[0])
        found = network.model.explain(levels)
    arrays = {
        "rows": rows,
        "labels": part.labels[chosen],
        "attention": _half(found.attention),
        "scores": _half(found.attribute_scores),
    }
    if found.channel_weights is not None:
        arrays["channel_weights"] = _half(found.channel_weights.mean(dim=0))
    return arrays


def _trainer(flat: dict[str, Scalar], context: TrainingContext) -> tuple[Trainer, str]:
    config = Config.from_flat(flat)
    dataset = load_dataset(config.data.dataset, Path(context.data_root))
    source = open_levels(dataset, config, context.features[features_key(config)])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    split = study_split(dataset, config, context.part)
    trainer = Trainer(config, split, source, device=device)
    if isinstance(source, FeatureStore):
        return trainer, str(source.manifest.settings.get("weights_hash", GIVEN))
    backbone = trainer.network.backbone
    return trainer, "" if backbone is None else backbone.weights_hash


def _half(values: Float[torch.Tensor, "*shape"]) -> np.ndarray:
    halves: np.ndarray = values.float().cpu().numpy().astype(np.float16)
    return halves
