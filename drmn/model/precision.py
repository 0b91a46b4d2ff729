"""Softmax, norms and logits are computed in at least float32, whatever autocast chose."""

import torch
from jaxtyping import Float
from torch import Tensor


def at_least_float32(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """``x`` itself in float32 or float64; half and bfloat16 widened to float32."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
