"""Levels brought to zero mean and unit variance per channel, by statistics of training images.

Frozen features have a common mean that dwarfs what tells images apart, so that attention starts
by attending to nothing. For every level that goes through a 1x1 convolution this is no other
model: phi((x - mean) / std) is again a 1x1 convolution of x with a bias, and the global branch is
linear as well, so only the starting point and the conditioning of Adam's problem change. At full
width the identity residual sees standardised features, which deviates from section 3.1; hence the
setting is off in the paper's presets.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from drmn.model.levels import LevelSpec

_SMALLEST_STD = 1e-3  # a dead channel stays near zero rather than being blown up


class LevelStandardisation(nn.Module):
    """Per-channel affine map of each level; the identity until :meth:`fit` is called.

    Its statistics are buffers: a checkpoint holds them.
    """

    def __init__(self, specs: Sequence[LevelSpec]) -> None:
        super().__init__()
        for index, spec in enumerate(specs):
            self.register_buffer(f"mean_{index}", torch.zeros(spec.channels))
            self.register_buffer(f"std_{index}", torch.ones(spec.channels))

    def fit(self, levels: Sequence[Float[Tensor, "B _ _ _"]]) -> None:
        """Take mean and standard deviation over images and regions of training images."""
        for index, level in enumerate(levels):
            regions = level.flatten(0, 2)
            self.get_buffer(f"mean_{index}").copy_(regions.mean(dim=0))
            self.get_buffer(f"std_{index}").copy_(regions.std(dim=0).clamp_min(_SMALLEST_STD))

    def forward(self, levels: Sequence[Float[Tensor, "B _ _ _"]]) -> tuple[Tensor, ...]:
        """Standardised levels, shapes unchanged."""
        return tuple(
            (level - self.get_buffer(f"mean_{index}")) / self.get_buffer(f"std_{index}")
            for index, level in enumerate(levels)
        )
