"""The convolutional backbone: four levels of an image, channels last.

================  =======================================  ===========================
network           the four levels l1..l4                   channels
================  =======================================  ===========================
ResNet-101, -50   outputs of layer1..layer4                256, 512, 1024, 2048
ResNet-18         outputs of layer1..layer4                64, 128, 256, 512
DenseNet-169      outputs of dense blocks 1..4, each       256, 512, 1280, 1664
                  through the norm and ReLU after it
================  =======================================  ===========================

A dense block ends in a concatenation that no norm or ReLU has seen. Its level is taken behind
the norm and ReLU that open the transition to the next block (behind ``norm5`` and a ReLU for the
last), at the block's own width and grid: that is what the rest of the network reads of it, and
it is what a ResNet stage ends in too.

Levels finer than the second-last stage are average-pooled to that stage's grid at once, for
fusion (section 3.1) would do so before its 1x1 projection in any case. Nothing is lost: pooling is
linear over regions with weights that sum to 1 and the projection acts on each region alone, so
``phi(pool(l)) = W (sum_r w_r l_r) + b = sum_r w_r (W l_r + b) = pool(phi(l))`` exactly, and the
pooled level is up to 16 times smaller to project, cache and read. The last level keeps its own
grid: bilinear upsampling has weights that sum to 1 as well, so it may follow the projection.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from drmn import vision
from drmn.config import BackboneConfig, BackboneTraining
from drmn.errors import ConfigError
from drmn.model.fusion import pool_down
from drmn.model.levels import LevelSpec
from drmn.model.weights import load_network

SECOND_LAST = 2  # index of the stage that sets C and R
_DENSENET_BLOCKS = 4
_MIN_IMAGE_SIZE = 32  # five halvings


class Backbone(nn.Module):
    """A stem and four stages; only what :meth:`tune` opened is trained.

    Attributes:
        weights_hash: SHA-256 of the weights it was built with.
    """

    def __init__(
        self,
        stem: nn.Sequential,
        stages: list[nn.Sequential],
        *,
        channels: tuple[int, ...],
        ceil_halving: bool,
        weights_hash: str,
        activation_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.weights_hash = weights_hash
        self._channels = channels
        self._ceil_halving = ceil_halving
        self._activation_checkpointing = activation_checkpointing
        self._frozen: list[nn.Module] = []
        self.tune("all")

    def specs(self, image_size: int) -> tuple[LevelSpec, ...]:
        """Shapes of the levels that :meth:`forward` gives for square images, without running it.

        Raises:
            ConfigError: the images are too small for five halvings.
        """
        if image_size < _MIN_IMAGE_SIZE:
            raise ConfigError(
                f"the value of `data.image_size` is {image_size}, but must be >= {_MIN_IMAGE_SIZE}"
            )
        sides = [-(-image_size // 4)]
        while len(sides) < len(self._channels):
            sides.append((sides[-1] + self._ceil_halving) // 2)
        sides = [min(side, sides[SECOND_LAST]) for side in sides]
        return tuple(
            LevelSpec(channels, side, side)
            for channels, side in zip(self._channels, sides, strict=True)
        )

    def forward(
        self, images: Float[Tensor, "B 3 height width"]
    ) -> tuple[Float[Tensor, "B _ _ _"], ...]:
        """Levels l1..l4 of normalised images, each ``[B, H_l, W_l, C_l]``."""
        features = self.stem(images.contiguous(memory_format=torch.channels_last))
        levels = []
        for stage in self.stages:
            features = self._run(stage, features)
            levels.append(features)
        grid = levels[SECOND_LAST].shape[2:]
        return tuple(pool_down(level.permute(0, 2, 3, 1), *grid).contiguous() for level in levels)

    def tune(self, training: BackboneTraining) -> None:
        """Open nothing, the last stage alone or everything to training; the rest is frozen.

        Frozen parts need no gradient, and their batch norms keep to the statistics they have.
        """
        parts = [self.stem, *self.stages]
        num_frozen = {"none": len(parts), "last": len(parts) - 1, "all": 0}[training]
        self._frozen = parts[:num_frozen]
        for index, part in enumerate(parts):
            part.requires_grad_(index >= num_frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Backbone":
        """As for any module, but frozen parts stay in evaluation mode."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _unpickled, (vision.Required(), self.__dict__)

    def _run(
        self, stage: nn.Module, features: Float[Tensor, "B _ _ _"]
    ) -> Float[Tensor, "B _ _ _"]:
        tuned = any(parameter.requires_grad for parameter in stage.parameters())
        if not (self._activation_checkpointing and self.training and tuned):
            return stage(features)  # type: ignore[no-any-return]
        for block in stage.children():
            features = checkpoint(
                block, features, use_reentrant=False, context_fn=lambda: _recomputation(stage)
            )
        return features


def _unpickled(_required: vision.Required, state: dict[str, object]) -> Backbone:
    backbone = Backbone.__new__(Backbone)
    backbone.__dict__.update(state)
    return backbone


def build_backbone(config: BackboneConfig) -> Backbone:
    """The backbone of a configuration, weights loaded and ``config.train`` applied.

    Raises:
        DataError: the weights cannot be had or are of another network.
    """
    network, weights_hash = load_network(config.name, config.weights)
    densenet = config.name.startswith("densenet")
    stem, stages = _densenet_parts(network) if densenet else _resnet_parts(network)
    backbone = Backbone(
        stem,
        stages,
        channels=CHANNELS[config.name],
        ceil_halving=not densenet,
        weights_hash=weights_hash,
        activation_checkpointing=config.activation_checkpointing,
    )
    backbone.tune(config.train)
    backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return backbone


CHANNELS = {
    "resnet101": (256, 512, 1024, 2048),
    "resnet50": (256, 512, 1024, 2048),
    "resnet18": (64, 128, 256, 512),
    "densenet169": (256, 512, 1280, 1664),
}


def _resnet_parts(network: nn.Module) -> tuple[nn.Sequential, list[nn.Sequential]]:
    names = dict(network.named_children())
    stem = nn.Sequential(*(names[name] for name in ("conv1", "bn1", "relu", "maxpool")))
    return stem, [nn.Sequential(*names[f"layer{i}"].children()) for i in (1, 2, 3, 4)]


def _densenet_parts(network: nn.Module) -> tuple[nn.Sequential, list[nn.Sequential]]:
    """Each stage opens with the pooling half of the transition before it.

    The ReLUs that end a stage are not torchvision's, which overwrite what activation
    checkpointing would start from.
    """
    names = dict(network.get_submodule("features").named_children())
    stem = nn.Sequential(*(names[name] for name in ("conv0", "norm0", "relu0", "pool0")))
    stages, opening = [], list[nn.Module]()
    for block in range(1, _DENSENET_BLOCKS):
        norm, _, *rest = names[f"transition{block}"].children()
        stages.append(nn.Sequential(*opening, names[f"denseblock{block}"], norm, nn.ReLU()))
        opening = rest
    last = (names[f"denseblock{_DENSENET_BLOCKS}"], names["norm5"], nn.ReLU())
    return stem, [*stages, nn.Sequential(*opening, *last)]


def _recomputation(
    stage: nn.Module,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Contexts of the first pass and of the one repeated for the gradient."""
    return nullcontext(), _batch_statistics_unrecorded(stage)


@contextmanager
def _batch_statistics_unrecorded(stage: nn.Module) -> Iterator[None]:
    """Without this a repeated pass would move the running statistics a second time.

    It writes into copies: a norm that stopped recording would save other tensors for its
    gradient than the first pass did, which checkpointing refuses.
    """
    norms = [module for module in stage.modules() if isinstance(module, nn.BatchNorm2d)]
    recorded = [(norm, name, value) for norm in norms for name, value in norm.named_buffers()]
    for norm, name, value in recorded:
        setattr(norm, name, value.clone())
    try:
        yield
    finally:
        for norm, name, value in recorded:
            setattr(norm, name, value)
