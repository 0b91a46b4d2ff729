"""Multi-level feature fusion (MFF, section 3.1): from backbone levels to one feature v.

Why the levels may be resized on whichever side of a projection is cheaper: a 1x1 convolution
acts on channels, average pooling and bilinear interpolation act on positions, and both are
linear, so they commute; a bias passes unchanged because the weights of one pooled or
interpolated value sum to 1. Hence maps larger than the target grid are pooled *before* their
projection (fewer rows to multiply; and what is pooled can be cached once for a frozen backbone),
and maps smaller than it are interpolated *after* theirs. BatchNorm and ReLU, where configured,
come last on either side: they do not commute.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from drmn.errors import ConfigError
from drmn.model.levels import LevelSpec
from drmn.model.products import Linear
from drmn.model_config import FusionConfig


def pool_down(level: Float[Tensor, "B H W C"], height: int, width: int) -> Float[Tensor, "B h w C"]:
    """Average-pool a channels-last map to ``height x width`` where it is larger, else as it is."""
    if level.shape[1] <= height and level.shape[2] <= width:
        return level
    pooled = F.adaptive_avg_pool2d(level.permute(0, 3, 1, 2), (height, width))
    return pooled.permute(0, 2, 3, 1)


def interpolate_up(
    level: Float[Tensor, "B H W C"], height: int, width: int
) -> Float[Tensor, "B h w C"]:
    """Bilinear interpolation of a channels-last map to ``height x width``, if it is not that."""
    if level.shape[1:3] == (height, width):
        return level
    up = F.interpolate(
        level.permute(0, 3, 1, 2), size=(height, width), mode="bilinear", align_corners=False
    )
    return up.permute(0, 2, 3, 1)


class Projection(nn.Module):
    """phi: one level to C channels on the target grid, a 1x1 convolution of the resized level."""

    def __init__(self, level: LevelSpec, target: LevelSpec, *, norm_relu: bool) -> None:
        super().__init__()
        self.grid = (target.height, target.width)
        self.linear = Linear(level.channels, target.channels, bias=not norm_relu)
        self.norm = nn.BatchNorm1d(target.channels) if norm_relu else None

    def forward(self, level: Float[Tensor, "B H W c"]) -> Float[Tensor, "B h w C"]:
        resized = interpolate_up(self.linear(pool_down(level, *self.grid)), *self.grid)
        if self.norm is None:
            return resized
        normed: Tensor = self.norm(resized.flatten(0, 2))
        return normed.relu().view_as(resized)


class MultiLevelFusion(nn.Module):
    """v = phi1(l1) + phi2(l2) + (phi3(l3) + l3) + phi4(l4) on the grid of the stage before last.

    Deviates from section 3.1 where ``fusion.channels`` differs from that stage's own width: the
    identity residual then becomes a 1x1 projection, initialised with orthonormal rows so that it
    starts as the nearest thing to an identity.
    """

    def __init__(self, config: FusionConfig, specs: Sequence[LevelSpec]) -> None:
        super().__init__()
        stage = specs[-2]
        self.channels = config.channels or stage.channels
        target = LevelSpec(self.channels, stage.height, stage.width)
        self.projections = nn.ModuleList(
            Projection(level, target, norm_relu=config.norm_relu) for level in specs
        )
        self.residual = narrowing(stage.channels, self.channels)

    def forward(self, levels: Sequence[Float[Tensor, "B _ _ _"]]) -> Float[Tensor, "B R C"]:
        fused: Tensor = self.residual(levels[-2])
        for projection, level in zip(self.projections, levels, strict=True):
            fused = fused + projection(level)
        return fused.flatten(1, 2)


class SingleLevel(nn.Module):
    """v without fusion: one stage as it is (the baseline relies on the last block)."""

    def __init__(self, config: FusionConfig, specs: Sequence[LevelSpec]) -> None:
        super().__init__()
        self.index = {"last": -1, "second_last": -2}[config.single_level]
        width = specs[self.index].channels
        self.channels = config.channels or width
        self.projection = narrowing(width, self.channels)

    def forward(self, levels: Sequence[Float[Tensor, "B _ _ _"]]) -> Float[Tensor, "B R C"]:
        feature: Tensor = self.projection(levels[self.index])
        return feature.flatten(1, 2)


def narrowing(width: int, channels: int) -> nn.Module:
    """The identity, or an orthonormally initialised 1x1 projection where the widths differ."""
    if width == channels:
        return nn.Identity()
    projection = Linear(width, channels, bias=False)
    nn.init.orthogonal_(projection.weight)
    return projection


def build_fusion(
    config: FusionConfig, specs: Sequence[LevelSpec]
) -> MultiLevelFusion | SingleLevel:
    """The source of v that ``fusion.enabled`` asks for.

    Raises:
        ConfigError: there are fewer than two levels, and not the last alone is asked for.
    """
    if len(specs) < (1 if not config.enabled and config.single_level == "last" else 2):
        raise ConfigError(
            f"the backbone gives {len(specs)} level(s), but the model needs >= 2: fusion works on "
            "the grid of the stage before last",
            "use a backbone with at least two stages",
        )
    return MultiLevelFusion(config, specs) if config.enabled else SingleLevel(config, specs)
