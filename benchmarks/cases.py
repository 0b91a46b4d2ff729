"""The measured steps: each forward and backward, once as ``literal`` and once as ours."""

from collections.abc import Callable, Sequence

import literal
import torch
from torch import Tensor

from drmn.config import Config
from drmn.model.attention import ChannelAttention, SpatialAttention, dual_attention
from drmn.model.classifier import AttributeClassifier
from drmn.model.levels import LevelSpec
from drmn.model.network import DRMN
from drmn.model.transformer import SemanticInteractionTransformer
from drmn.model_config import ChannelAttentionConfig, SitConfig

BATCH = 32
CHANNELS = 1024
REGIONS = 196  # 14 x 14
RESNET_LEVELS = tuple(
    LevelSpec(channels, side, side)
    for channels, side in ((256, 14), (512, 14), (1024, 14), (2048, 7))
)
"""Cached levels of ResNet-101 at 224 px, pooled to the fused grid where they are finer."""


class DualAttentionCase:
    """The dual attention block from v to e (Eqs. 1-4, 7) and back to v and all weights."""

    def __init__(
        self,
        num_attributes: int,
        *,
        channels: int = CHANNELS,
        batch: int = BATCH,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        torch.manual_seed(0)
        self.v = torch.rand(batch, REGIONS, channels, dtype=dtype, requires_grad=True)
        self.p = torch.randn(num_attributes, channels, dtype=dtype).mul_(0.02).requires_grad_()
        self.spatial = SpatialAttention(channels).to(dtype)
        self.channel = ChannelAttention(ChannelAttentionConfig(), channels).to(dtype)
        self.classifier = AttributeClassifier(channels).to(dtype)
        self.d_e = torch.randn(batch, num_attributes, dtype=dtype)

    def inputs(self) -> list[Tensor]:
        weights = (self.spatial.w1, self.channel.w2, self.channel.w3, self.classifier.w4)
        return [self.v, self.p, *weights]

    @torch.no_grad()
    def in_float64(self) -> "DualAttentionCase":
        """The same numbers, widened."""
        num_attributes, channels = self.p.shape
        wide = DualAttentionCase(
            num_attributes, channels=channels, batch=len(self.v), dtype=torch.float64
        )
        for theirs, ours in zip(wide.inputs(), self.inputs(), strict=True):
            theirs.copy_(ours)
        wide.d_e.copy_(self.d_e)
        return wide

    def literal(self) -> list[Tensor]:
        e, _ = literal.dual_attention(*self.inputs())
        return [e, *torch.autograd.grad(e, self.inputs(), self.d_e)]

    def ours(self) -> list[Tensor]:
        queries, probes = self.spatial.queries(self.p), self.classifier.probes(self.p)
        gates = self.channel.gates(self.p, self.v)
        e, _ = dual_attention(self.v, queries, probes, gates, with_features=False)
        return [e, *torch.autograd.grad(e, self.inputs(), self.d_e)]


class TransformerCase:
    """The SIT in training, dropout 0.5, over N tokens: forward and backward."""

    def __init__(self, num_tokens: int, channels: int) -> None:
        torch.manual_seed(0)
        self.sit = SemanticInteractionTransformer(SitConfig(), channels)
        self.h = torch.randn(1, num_tokens, channels, requires_grad=True)
        self.d_h = torch.randn_like(self.h)

    def literal(self) -> Sequence[Tensor]:
        return self._gradients(literal.transform(self.sit, self.h))

    def ours(self) -> Sequence[Tensor]:
        return self._gradients(self.sit(self.h))

    def _gradients(self, output: Tensor) -> Sequence[Tensor]:
        return torch.autograd.grad(output, [self.h, *self.sit.parameters()], self.d_h)


class InferenceCase:
    """Scores of a batch from cached levels, without the SIT: what a trained model does."""

    def __init__(self, num_attributes: int, num_classes: int, batch: int = BATCH) -> None:
        torch.manual_seed(0)
        attributes = torch.rand(num_classes, num_attributes)
        seen = torch.arange(num_classes) < num_classes * 3 // 4
        self.model = DRMN(Config().model, RESNET_LEVELS, attributes, seen).eval()
        self.levels = tuple(torch.rand(batch, *spec.shape) for spec in RESNET_LEVELS)
        self.num_attributes, self.num_classes, self.batch = num_attributes, num_classes, batch

    @torch.no_grad()
    def literal(self) -> Tensor:
        return literal.forward(self.model, self.levels).o

    @torch.no_grad()
    def ours(self) -> Tensor:
        return self.model(self.levels).o

    def flops(self) -> int:
        """Of the products that ours computes for one batch, a multiply-add counting as two."""
        A, C, M = self.num_attributes, CHANNELS, CHANNELS // 4
        fusion = sum(spec.num_values for spec in RESNET_LEVELS) * C
        attention = 2 * A * REGIONS * C + A * M * C  # omega, k, W3
        logits = A * self.num_classes + RESNET_LEVELS[-1].channels * self.num_classes
        per_image = fusion + attention + M * C + logits
        folded = 2 * A * C * C + A * M * C  # W1, W4 and W2 on the prototypes
        return 2 * (self.batch * per_image + folded)


def peak_step(case: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """(step, the same at a tiny size) of ``dab:A:side`` or ``sit:N:C:side``."""
    kind, *numbers, side = case.split(":")
    sizes = [int(number) for number in numbers]
    if kind == "dab":
        real, tiny = DualAttentionCase(*sizes), DualAttentionCase(4, channels=32, batch=2)
        return getattr(real, side), getattr(tiny, side)
    return getattr(TransformerCase(*sizes), side), getattr(TransformerCase(64, sizes[1]), side)
