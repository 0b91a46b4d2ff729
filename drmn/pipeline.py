"""From rows of the data set to scores: levels or images are read, then backbone and DRMN run."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from drmn.config import Config
from drmn.data.live import LiveSource
from drmn.data.splits import Split
from drmn.data.store.features import LevelSource
from drmn.distributed import World, couple_batch, synchronise_batch_norms
from drmn.errors import CheckpointError
from drmn.model.backbone import Backbone, build_backbone
from drmn.model.levels import LevelSpec
from drmn.model.network import DRMN, Scores

Inputs = tuple[Tensor, ...]
"""Levels ``[B H_l W_l C_l]`` of a batch; from a live source its images ``[B 3 S S]`` alone."""


_NUM_SAMPLED = 256


class Pipeline(nn.Module):
    """DRMN and, where images come live, its backbone; weights are drawn from torch's generator.

    Args:
        config: of the run.
        split: gives the attributes and which classes are seen.
        source: levels of a frozen backbone, or images.
        device: where the network will run.
        world: the processes that share a batch.
    """

    def __init__(
        self,
        config: Config,
        split: Split,
        source: LevelSource | LiveSource,
        device: torch.device,
        world: World,
    ) -> None:
        super().__init__()
        self._source = source
        self._device = device
        self.backbone: Backbone | None = None
        if isinstance(source, LiveSource):
            self.backbone = build_backbone(config.backbone)
            specs: Sequence[LevelSpec] = self.backbone.specs(config.data.image_size)
        else:
            specs = source.specs
        attributes, seen = torch.from_numpy(split.attributes), torch.from_numpy(split.seen)
        self.model = DRMN(config.model, specs, attributes, seen)
        if self.model.standardise is not None and not isinstance(source, LiveSource):
            self.model.standardise.fit(source.levels(_sample(split.train.rows)))
        couple_batch(self.model, world)
        synchronise_batch_norms(self, world, device)
        self.to(device)

    def read(
        self, rows: Int64[np.ndarray, " B"], generator: torch.Generator | None = None
    ) -> Inputs:
        """Inputs of ``rows`` on the CPU; ``generator`` drives the augmentation of images."""
        if isinstance(self._source, LiveSource):
            inputs: Inputs = (self._source.images(rows, generator),)
        else:
            inputs = self._source.levels(rows)
        return tuple(p.pin_memory() for p in inputs) if self._device.type == "cuda" else inputs

    def forward(self, inputs: Inputs) -> Scores:
        """Scores of a batch that :meth:`read` gave."""
        inputs = tuple(part.to(self._device, non_blocking=True) for part in inputs)
        levels = inputs if self.backbone is None else self.backbone(inputs[0])
        scores: Scores = self.model(levels)
        return scores

    def state(self) -> dict[str, dict[str, Tensor] | str]:
        """Weights: all of DRMN's, and of the backbone those that train."""
        weights: dict[str, dict[str, Tensor] | str] = {"model": self.model.state_dict()}
        if self.backbone is not None:
            names = _trained_entries(self.backbone)
            entries = self.backbone.state_dict()
            weights["backbone"] = {name: entries[name] for name in names}
            weights["backbone_hash"] = self.backbone.weights_hash
        return weights

    def load_state(self, state: Mapping[str, dict[str, Tensor] | str]) -> None:
        """Inverse of :meth:`state`.

        Raises:
            CheckpointError: the backbone was built from other weights.
        """
        here = None if self.backbone is None else self.backbone.weights_hash
        there = state.get("backbone_hash")
        if here != there:
            raise CheckpointError(
                f"the backbone's weights have the hash {there} there and {here} here, but must be "
                "the same: those that do not train are not part of a checkpoint",
                "give the weights file the run was trained with",
            )
        self.model.load_state_dict(state["model"])  # type: ignore[arg-type]
        if self.backbone is not None:
            self.backbone.load_state_dict(state["backbone"], strict=False)  # type: ignore[arg-type]


def _sample(rows: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    """At most 256 training rows, evenly spaced: statistics need no more."""
    chosen: Int64[np.ndarray, " m"] = rows[:: -(-len(rows) // _NUM_SAMPLED)]
    return chosen


def _trained_entries(backbone: nn.Module) -> list[str]:
    """State entries of the modules that own a trained parameter, running statistics included."""
    names: list[str] = []
    for prefix, module in backbone.named_modules(remove_duplicate=True):
        own = dict(module.named_parameters(recurse=False))
        if any(parameter.requires_grad for parameter in own.values()):
            own_buffers = dict(module.named_buffers(recurse=False))
            names += [f"{prefix}.{name}" for name in {**own, **own_buffers}]
    return names
