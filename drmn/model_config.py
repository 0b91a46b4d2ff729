"""Settings of the model (section 3), the branch ``model.*`` of :class:`drmn.config.Config`."""

from dataclasses import dataclass, field
from typing import Literal

from drmn.config_rules import check_at_least, check_between, check_positive

Norm = Literal["layernorm", "layernorm_affine", "l2"]


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """Multi-level feature fusion (section 3.1)."""

    enabled: bool = True
    channels: int | None = None  # C; None: the width of the stage itself (identity residual)
    single_level: Literal["last", "second_last"] = "last"  # the stage used when not enabled
    norm_relu: bool = False  # BatchNorm and ReLU inside the projections

    def __post_init__(self) -> None:
        if self.channels is not None:
            check_at_least(self, "channels", 1)


@dataclass(frozen=True, kw_only=True)
class ChannelAttentionConfig:
    """Attribute-guided channel attention (Eqs. 3-4)."""

    enabled: bool = True
    reduction: int = 4  # m
    norm: Norm = "layernorm"

    def __post_init__(self) -> None:
        check_at_least(self, "reduction", 1)


@dataclass(frozen=True, kw_only=True)
class SitConfig:
    """Semantic interaction transformer (Eqs. 5-6), training only."""

    enabled: bool = True
    heads: int = 4
    feedforward: int | None = None  # None: C
    dropout: float = 0.5
    attention_dropout: float | None = None  # None: dropout
    loss_weight: float = 1.0  # of the post-SIT scores in L_AC, relative to the pre-SIT ones

    def __post_init__(self) -> None:
        check_at_least(self, "heads", 1)
        check_between(self, "dropout", 0.0, 1.0, open_right=True)
        check_at_least(self, "loss_weight", 0.0)
        if self.attention_dropout is not None:
            check_between(self, "attention_dropout", 0.0, 1.0, open_right=True)
        if self.feedforward is not None:
            check_at_least(self, "feedforward", 1)


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """Shared and hyperspherical classifier (Eqs. 7-8)."""

    gamma: float = 5.0  # logits are gamma^2 cos
    prototype_init_std: float = 0.02

    def __post_init__(self) -> None:
        check_positive(self, "gamma")
        check_positive(self, "prototype_init_std")


@dataclass(frozen=True, kw_only=True)
class GlobalBranchConfig:
    """Global classification branch (section 3.3)."""

    enabled: bool = True
    classes: Literal["all", "seen"] = "all"


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    standardise_levels: bool = False  # of a frozen backbone, by training images' statistics
    fusion: FusionConfig = field(default_factory=FusionConfig)
    channel_attention: ChannelAttentionConfig = field(default_factory=ChannelAttentionConfig)
    sit: SitConfig = field(default_factory=SitConfig)
    classifier: ClassifierConfig = field(default_factory=ClassifierConfig)
    global_branch: GlobalBranchConfig = field(default_factory=GlobalBranchConfig)
