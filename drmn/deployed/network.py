"""A saved model as a network: from normalised pictures, or rows of a data set, to scores."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from drmn.data.live import LiveSource
from drmn.data.store.features import LevelSource
from drmn.deployed.making import check_weights
from drmn.deployed.saved_model import SavedModel
from drmn.errors import DataError
from drmn.model.backbone import Backbone, build_backbone
from drmn.model.folding import folded
from drmn.model.network import DRMN, Scores

CPU = torch.device("cpu")
Levels = tuple[Float[Tensor, "B _ _ _"], ...]


class DeployedNetwork(nn.Module):
    """DRMN with its backbone, in evaluation mode, without the SIT.

    Raises:
        DataError: the weights are not those of the configuration, or the backbone's are not in the
            model and cannot be had.
    """

    def __init__(self, saved: SavedModel, device: torch.device = CPU) -> None:
        super().__init__()
        self._saved = saved
        self._device = device
        with torch.random.fork_rng(devices=[]):
            self.backbone = _backbone(saved)
            self.model = _model(saved)
        self.to(device)
        self.eval()

    def levels(self, images: Float[Tensor, "B 3 S S"]) -> Levels:
        """Backbone levels as training read them: those of a frozen one rounded as it was kept.

        Raises:
            DataError: the model was trained on features that came with its data set.
        """
        if self.backbone is None:
            raise DataError(
                "this model was trained on features that came with its data set and has no "
                "backbone, but a picture needs one",
                "train on the pictures themselves: drmn-sweep --backbone NAME --weights FILE",
            )
        levels = self.backbone(images.to(self._device))
        if self._saved.level_dtype is None:
            return tuple(levels)
        dtype = getattr(torch, self._saved.level_dtype)
        return tuple(level.to(dtype).float() for level in levels)

    def forward(self, levels: Sequence[Float[Tensor, "B _ _ _"]]) -> Scores:
        """Scores over the model's classes."""
        scores: Scores = self.model([level.to(self._device) for level in levels])
        return scores


class DeployedReader:
    """A deployed network over the rows of a data set, as :func:`drmn.evaluation.evaluate` asks."""

    def __init__(self, network: DeployedNetwork, source: LevelSource | LiveSource) -> None:
        self._network = network
        self._source = source

    def read(self, rows: Int64[np.ndarray, " B"]) -> tuple[Tensor, ...]:
        """Levels, or images alone, of ``rows``."""
        if isinstance(self._source, LiveSource):
            return (self._source.images(rows),)
        return self._source.levels(rows)

    def __call__(self, inputs: tuple[Tensor, ...]) -> Scores:
        """Scores of what :meth:`read` gave."""
        live = isinstance(self._source, LiveSource)
        levels = self._network.levels(inputs[0]) if live else inputs
        scores: Scores = self._network(levels)
        return scores

    def eval(self) -> "DeployedReader":
        """As for any module."""
        self._network.eval()
        return self


def _model(saved: SavedModel) -> DRMN:
    config = saved.config.model
    without_sit = replace(config, sit=replace(config.sit, enabled=False))
    model = DRMN(without_sit, saved.specs, saved.attributes, saved.seen)
    try:
        model.load_state_dict(dict(saved.weights))
    except RuntimeError as error:
        raise DataError(f"the model's weights are not of its configuration: {error}") from error
    return model


def _backbone(saved: SavedModel) -> Backbone | None:
    if saved.backbone is None:
        return None
    source = "none" if saved.backbone.included else saved.backbone.source
    config = replace(saved.config.backbone, weights=source, train="none")
    backbone = build_backbone(config)
    if not saved.backbone.included:
        check_weights(config, backbone.weights_hash, saved.backbone.weights_hash)
    try:
        backbone.load_state_dict(dict(saved.backbone.entries), strict=saved.backbone.included)
    except RuntimeError as error:
        raise DataError(f"the model's backbone is not {config.name}: {error}") from error
    return folded(backbone) if saved.level_dtype is not None else backbone  # as it was trained on
