"""The equations transcribed line by line in eager PyTorch: what the benchmarks compare against.

No cleverness and no handicap: each tensor that the paper names is built once, every sum over
channels or regions is one batched matrix product, and autograd does the rest. The functions take
the parameters of a :class:`drmn.model.network.DRMN`, so both compute from the same numbers.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from drmn.model.fusion import MultiLevelFusion
from drmn.model.network import DRMN, Scores
from drmn.model.transformer import SemanticInteractionTransformer


def fuse(fusion: MultiLevelFusion, levels: Sequence[Tensor]) -> Tensor:
    """Section 3.1: each level resized, then through its 1x1 convolution, then summed."""
    maps = [level.permute(0, 3, 1, 2) for level in levels]
    height, width = maps[-2].shape[2:]
    v = maps[-2]
    for level, projection in zip(maps, fusion.projections, strict=True):
        resized = level
        if level.shape[2] > height:
            resized = F.adaptive_avg_pool2d(level, (height, width))
        elif level.shape[2] < height:
            resized = F.interpolate(level, size=(height, width), mode="bilinear")
        weight = projection.linear.weight[:, :, None, None]
        v = v + F.conv2d(resized, weight, projection.linear.bias)
    return v.flatten(2).transpose(1, 2)


def dual_attention(
    v: Tensor, p: Tensor, w1: Tensor, w2: Tensor, w3: Tensor, w4: Tensor
) -> tuple[Tensor, Tensor]:
    """Eqs. 1-4 and 7: e ``[B A]`` and h ``[B A C]`` from v ``[B R C]`` and p ``[A C]``."""
    projected = v @ w1.T  # W1 v_r
    omega = torch.einsum("ac,brc->bar", p, projected).softmax(dim=-1)  # Eq. 1
    k = omega @ v  # Eq. 2
    channels = p.shape[1:]
    q = F.layer_norm(p, channels) + F.layer_norm(v.mean(dim=1), channels).unsqueeze(1)  # Eq. 3
    eta = ((q @ w2.T).relu() @ w3.T).sigmoid()  # Eq. 4
    h = k * eta
    return (p * (h @ w4.T)).sum(dim=-1), h  # Eq. 7


def transform(sit: SemanticInteractionTransformer, h: Tensor) -> Tensor:
    """Eqs. 5-6 with the attention map written out: H_hat ``[B A C]``."""
    tokens = h.flatten(0, 1)
    heads = F.linear(tokens, sit.query_key_value.weight, sit.query_key_value.bias)
    heads = heads.unflatten(1, (3, sit.heads, -1)).permute(1, 2, 0, 3)
    query, key, value = heads.unbind(0)
    attention_map = (query @ key.mT * query.shape[-1] ** -0.5).softmax(dim=-1)
    attention_map = F.dropout(attention_map, sit.attention_dropout, sit.training)
    attended = F.linear(
        (attention_map @ value).transpose(0, 1).flatten(1), sit.output.weight, sit.output.bias
    )
    attended = sit.norm_attention(F.dropout(attended, sit.dropout, sit.training) + tokens)
    widened = F.linear(attended, sit.widen.weight, sit.widen.bias).relu()
    widened = F.dropout(widened, sit.dropout, sit.training)
    mixed = F.linear(widened, sit.narrow.weight, sit.narrow.bias)
    mixed = sit.norm_feedforward(F.dropout(mixed, sit.dropout, sit.training) + attended)
    return mixed.view_as(h)


def forward(model: DRMN, levels: Sequence[Tensor]) -> Scores:
    """The whole model, as ``model(levels)`` gives it."""
    p, w4 = model.prototypes, model.classifier.w4
    v = fuse(model.fusion, levels)
    e, h = dual_attention(v, p, model.spatial.w1, model.channel.w2, model.channel.w3, w4)
    o_sit = None
    if model.training:
        after = transform(model.sit, h)
        o_sit = logits(model, (p * (after @ w4.T)).sum(dim=-1))
    pooled = levels[-1].mean(dim=(1, 2))
    g = F.linear(pooled, model.global_branch.linear.weight, model.global_branch.linear.bias)
    return Scores(o=logits(model, e), g=g, o_sit=o_sit)


def logits(model: DRMN, e: Tensor) -> Tensor:
    """Eq. 8."""
    gamma = model.config.classifier.gamma
    z = model.semantics / model.semantics.norm(dim=-1, keepdim=True)
    return (gamma * z @ (gamma * e / e.norm(dim=-1, keepdim=True)).T).T
