"""Softmax attention with dropout whose memory grows with N, not with N*N, on the CPU.

PyTorch's fused CPU kernel has no dropout: with it, ``scaled_dot_product_attention`` stores
several N*N maps (N = B*A = 5,440 tokens and 4 heads: 473 MB each). Here a block of queries at a
time meets all keys, and the backward pass computes each block of the map again instead of having
kept it. Exact, because a row of the softmax depends on no other row:

* forward: ``P = softmax(Q K^T / sqrt(d))``, ``O = (P * mask / keep) V``, row by row;
* backward: with ``G = dO V^T * mask / keep``, the softmax's rule ``dS = P * (G - rowsum(P * G))``
  needs ``rowsum(P * G) = rowsum(P * mask / keep * dO V^T) = rowsum(dO * O)``, which is known from
  the output alone; then ``dQ = dS K``, ``dK = dS^T Q``, ``dV = (P * mask / keep)^T dO``.

The masks are drawn again from their seed (``drmn.model.dropout``).
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from drmn.model.dropout import MaskStream, draw_seed
from drmn.model.precision import at_least_float32
from drmn.model.products import product

_BLOCK_VALUES = 2**20  # of the map held at a time: two or three such buffers stay in the cache
_MIN_BLOCK_ROWS = 32


def attention(
    query: Float[Tensor, "heads N d"],
    key: Float[Tensor, "heads N d"],
    value: Float[Tensor, "heads N d"],
    dropout: float,
) -> Float[Tensor, "heads N d"]:
    """``dropout(softmax(Q K^T / sqrt(d))) V`` per head, in memory linear in N.

    Under autocast on the CPU the products stay in float32: there is no fused kernel to take.
    """
    if dropout > 0.0 and query.device.type == "cpu" and not torch.compiler.is_compiling():
        with torch.autocast("cpu", enabled=False):
            wide_query, wide_key, wide_value = map(at_least_float32, (query, key, value))
            mixed = seeded_attention(wide_query, wide_key, wide_value, dropout, draw_seed())
            return mixed.to(query.dtype)
    fused = F.scaled_dot_product_attention(
        query.unsqueeze(0), key.unsqueeze(0), value.unsqueeze(0), dropout_p=dropout
    )
    return fused.squeeze(0)


def seeded_attention(
    query: Float[Tensor, "heads N d"],
    key: Float[Tensor, "heads N d"],
    value: Float[Tensor, "heads N d"],
    dropout: float,
    seed: int,
) -> Float[Tensor, "heads N d"]:
    """:func:`attention` on the CPU with the masks of ``seed``."""
    scaled = query * query.shape[-1] ** -0.5
    return _streamed(scaled, key.contiguous(), value.contiguous(), dropout, seed)


def attention_mask(
    heads: int, num_tokens: int, dropout: float, seed: int, dtype: torch.dtype
) -> Float[Tensor, "heads N N"]:
    """The whole scaled mask that ``seed`` stands for (0 or 1/keep): N*N, for explicit checks."""
    stream = MaskStream(seed, dropout)
    mask = torch.empty(heads, num_tokens, num_tokens, dtype=dtype)
    for head, rows in _blocks(heads, num_tokens):
        mask[head, rows] = stream.draw((rows.stop - rows.start, num_tokens), dtype)
    return mask.div_(stream.keep)


def _blocks(heads: int, num_tokens: int) -> Iterator[tuple[int, slice]]:
    """(head, rows) in the one order in which masks are drawn."""
    step = max(_MIN_BLOCK_ROWS, _BLOCK_VALUES // num_tokens)
    for head in range(heads):
        for start in range(0, num_tokens, step):
            yield head, slice(start, min(start + step, num_tokens))


def _probabilities(query: Tensor, key: Tensor) -> Tensor:
    """Rows of P: ``[rows N]`` from scaled queries ``[rows d]`` and keys ``[N d]``."""
    scores = product(query, key.t())
    return torch.softmax(scores, dim=-1, out=scores)


class _Streamed(torch.autograd.Function):
    """query comes scaled; all are ``[heads N d]`` and contiguous."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, dropout: float, seed: int
    ) -> Tensor:
        stream = MaskStream(seed, dropout)
        output = torch.empty_like(query)
        for head, rows in _blocks(*query.shape[:2]):
            p = _probabilities(query[head, rows], key[head])
            p.mul_(stream.draw(p.shape, p.dtype))
            output[head, rows] = product(p, value[head])
        output.div_(stream.keep)
        ctx.save_for_backward(query, key, value, output)
        ctx.dropout, ctx.seed = dropout, seed
        return output

    @staticmethod
    def backward(ctx: Any, d_output: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, output = ctx.saved_tensors
        stream = MaskStream(ctx.seed, ctx.dropout)
        d_output = d_output.contiguous()
        row_sums = (d_output * output).sum(dim=-1, keepdim=True).mul_(stream.keep)
        d_query = torch.empty_like(query)
        d_key, d_value = (torch.zeros_like(t.mT) for t in (key, value))  # transposed: [heads d N]
        for head, rows in _blocks(*query.shape[:2]):
            q, d_out = query[head, rows], d_output[head, rows]
            p = _probabilities(q, key[head])
            kept = stream.draw(p.shape, p.dtype).mul_(p)
            d_value[head] += product(d_out.t(), kept)
            # keep * dS = (P * mask) * (dO V^T) - P * (keep * rowsum)
            d_scores = product(d_out, value[head].t()).mul_(kept)
            d_scores.sub_(p.mul_(row_sums[head, rows]))
            d_query[head, rows] = product(d_scores, key[head])
            d_key[head] += product(q.t(), d_scores)
        gradients = (d_query, d_key.mT, d_value.mT)
        return *(gradient.div_(stream.keep) for gradient in gradients), None, None


_streamed: Callable[[Tensor, Tensor, Tensor, float, int], Tensor] = _Streamed.apply
