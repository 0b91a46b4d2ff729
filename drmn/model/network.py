"""DRMN: the parts assembled from a configuration.

Parameters of the attribute branch: prototypes p ``[A C]``, W1, W2, W3, W4, the fusion and the SIT;
of the global branch: one linear layer on the last level. The two branches share nothing but the
backbone's levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from drmn.model.attention import (
    ChannelAttention,
    Gates,
    SpatialAttention,
    attribute_features,
    channel_weights,
    dual_attention,
    spatial_attention,
)
from drmn.model.classifier import (
    AttributeClassifier,
    GlobalBranch,
    attribute_scores,
    hyperspherical_logits,
)
from drmn.model.fusion import build_fusion
from drmn.model.levels import LevelSpec
from drmn.model.standardise import LevelStandardisation
from drmn.model.transformer import SemanticInteractionTransformer
from drmn.model_config import ModelConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """What a forward pass gives: logits before softmax, without Algorithm 1's +1."""

    o: Float[Tensor, "B K"]  # Eq. 8, before the SIT: the scores used at test time
    g: Float[Tensor, "B K"] | None  # section 3.3; -inf where a seen-only head has no row
    o_sit: Float[Tensor, "B K"] | None  # Eq. 8 after the SIT, in training only


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """What an image was judged by."""

    attention: Float[Tensor, "B A R"]  # omega, Eq. 1; each row sums to 1
    channel_weights: Float[Tensor, "B A C"] | None  # eta, Eq. 4; None without channel attention
    attribute_scores: Float[Tensor, "B A"]  # e, Eq. 7


class DRMN(nn.Module):
    """The dual relation mining network over backbone levels.

    Args:
        config: which parts exist, and their sizes.
        specs: shapes of the levels l1..lL that forward will be given.
        attributes: class semantics z ``[K A]``; only their directions matter (Eq. 8).
        seen: which of the K classes are seen.

    Raises:
        ConfigError: sizes contradict each other (see the parts).
    """

    semantics: Tensor
    seen: Tensor

    def __init__(
        self,
        config: ModelConfig,
        specs: Sequence[LevelSpec],
        attributes: Float[Tensor, "K A"],
        seen: Bool[Tensor, " K"],
    ) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("semantics", attributes.clone())
        self.register_buffer("seen", seen.clone())
        self.standardise = LevelStandardisation(specs) if config.standardise_levels else None
        self.fusion = build_fusion(config.fusion, specs)
        channels = self.fusion.channels
        std = config.classifier.prototype_init_std
        self.prototypes = nn.Parameter(torch.randn(attributes.shape[1], channels) * std)
        self.spatial = SpatialAttention(channels)
        self.channel = (
            ChannelAttention(config.channel_attention, channels)
            if config.channel_attention.enabled
            else None
        )
        self.classifier = AttributeClassifier(channels)
        self.sit = (
            SemanticInteractionTransformer(config.sit, channels) if config.sit.enabled else None
        )
        self.global_branch = (
            GlobalBranch(config.global_branch, specs[-1].channels, seen)
            if config.global_branch.enabled
            else None
        )

    def forward(self, levels: Sequence[Float[Tensor, "B _ _ _"]]) -> Scores:
        """Scores of a batch; in training mode o_sit mixes the batch's images (Eqs. 5-6)."""
        levels = self._standardised(levels)
        v = self.fusion(levels)
        probes = self.classifier.probes(self.prototypes)
        sit = self.sit if self.training else None
        e, h = dual_attention(
            v,
            self.spatial.queries(self.prototypes),
            probes,
            self._gates(v),
            with_features=sit is not None,
        )
        o_sit = None
        if sit is not None and h is not None:
            o_sit = self._logits(attribute_scores(sit(h), probes))
        g = None if self.global_branch is None else self.global_branch(levels[-1])
        return Scores(o=self._logits(e), g=g, o_sit=o_sit)

    def explain(self, levels: Sequence[Float[Tensor, "B _ _ _"]]) -> Explanation:
        """The maps behind the scores; ``[B A C]`` of memory, so for a few images at a time."""
        v = self.fusion(self._standardised(levels))
        omega = spatial_attention(v, self.spatial.queries(self.prototypes))
        k = attribute_features(omega, v)
        gates = self._gates(v)
        eta = None if gates is None else channel_weights(gates)
        e = attribute_scores(k if eta is None else k * eta, self.classifier.probes(self.prototypes))
        return Explanation(attention=omega, channel_weights=eta, attribute_scores=e)

    def _standardised(
        self, levels: Sequence[Float[Tensor, "B _ _ _"]]
    ) -> Sequence[Float[Tensor, "B _ _ _"]]:
        return levels if self.standardise is None else self.standardise(levels)

    def _gates(self, v: Float[Tensor, "B R C"]) -> Gates | None:
        return None if self.channel is None else self.channel.gates(self.prototypes, v)

    def _logits(self, e: Float[Tensor, "B A"]) -> Float[Tensor, "B K"]:
        return hyperspherical_logits(e, self.semantics, self.config.classifier.gamma)
