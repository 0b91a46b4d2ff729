"""Dropout whose masks cost a byte of cheap randomness each, and can be drawn twice.

``Tensor.bernoulli_`` takes some 15 ns per element on a CPU, more than everything else that
attention does to it. Here a fast generator fills bytes, and an element is kept where its byte is
below a threshold. The keep probability is therefore a multiple of 1/256 (1/2, the paper's and
the default, exactly), and results are rescaled by that very multiple, so that the expectation
stays exact. The generator is seeded from PyTorch's global one: the same ``torch.manual_seed`` or
restored RNG state gives the same masks, and the same seed draws the same masks again, which is
how a backward pass gets them without having stored them.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from drmn.model.products import eagerly_on_cpu

_LEVELS = 256
_WORD_BYTES = 8


def draw_seed() -> int:
    """A seed from PyTorch's global CPU generator."""
    return int(torch.randint(2**63 - 1, ()).item())


class MaskStream:
    """A reproducible stream of masks: every element is 1 with probability :attr:`keep`, else 0."""

    def __init__(self, seed: int, dropout: float) -> None:
        self._bits = np.random.SFC64(seed)
        self._threshold = max(1, round(_LEVELS * (1.0 - dropout)))
        self.keep = self._threshold / _LEVELS

    def draw(self, shape: Sequence[int], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
        """The next elements, as floats 0 and 1."""
        num_values = math.prod(shape)
        words = self._bits.random_raw(-(-num_values // _WORD_BYTES))
        values = torch.from_numpy(words).view(torch.uint8)[:num_values].to(dtype)
        return torch.lt(values, self._threshold, out=values).view(*shape)


def dropout(x: Float[Tensor, "N C"], probability: float, *, training: bool) -> Float[Tensor, "N C"]:
    """Inverted dropout: 0 with ``probability``, else divided by the probability of being kept."""
    if not training or probability == 0.0:
        return x
    if not eagerly_on_cpu(x):
        return F.dropout(x, probability, training)
    stream = MaskStream(draw_seed(), probability)
    return x * stream.draw(x.shape, x.dtype).div_(stream.keep)
