"""Dual attention block (DAB, section 3.1): from the fused feature v to attribute features h.

Legend: v ``[B R C]`` fused feature, p ``[A C]`` prototypes, omega ``[B A R]`` spatial attention,
k ``[B A C]`` attribute features, q ``[B A C]`` channel descriptors, eta ``[B A C]`` channel
weights, h = k * eta, M = C / m the bottleneck's width.

Rewritings, all exact:

* **Folded W1.** p_aT (W1 v_r) = (W1T p_a)T v_r by associativity. W1T p costs A*C*C multiplications
  once per step, W1 v would cost B*R*C*C and a stored ``[B R C]`` tensor.
* **Linear Eq. 3.** W2 (norm(p_a) + norm(mean v_i)) = W2 norm(p_a) + W2 norm(mean v_i), so W2 is
  applied to A + B rows in place of A*B, and q is never built: its A*B sums are taken after the
  bottleneck's first layer, over C/m channels in place of C.
* **Scores without features.** Without channel attention h = k, and e_a = (W4T p_a)T sum_r omega_r
  v_r = sum_r omega_r ((W4T p_a)T v_r): unless the SIT wants k, no ``[B A C]`` tensor is needed.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from drmn.errors import ConfigError
from drmn.model.classifier import attribute_scores
from drmn.model.precision import at_least_float32
from drmn.model.products import eagerly_on_cpu, linear
from drmn.model.streamed_dab import streamed_dual_attention
from drmn.model_config import ChannelAttentionConfig, Norm


class SpatialAttention(nn.Module):
    """W1 of Eq. 1, initialised Xavier-uniform so that W1 v keeps the scale of v."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.empty(channels, channels))
        nn.init.xavier_uniform_(self.w1)

    def queries(self, prototypes: Float[Tensor, "A C"]) -> Float[Tensor, "A C"]:
        """Row a is W1T p_a."""
        return linear(prototypes, self.w1.t())


def spatial_attention(
    v: Float[Tensor, "B R C"], queries: Float[Tensor, "A C"]
) -> Float[Tensor, "B A R"]:
    """omega of Eq. 1: softmax over the regions of queries_a . v_r, in at least float32."""
    scores = torch.matmul(queries, v.transpose(1, 2))
    return at_least_float32(scores).softmax(dim=-1)


def attribute_features(
    omega: Float[Tensor, "B A R"], v: Float[Tensor, "B R C"]
) -> Float[Tensor, "B A C"]:
    """k of Eq. 2: the attended mean of the region features."""
    return torch.matmul(omega.to(v.dtype), v)


class ChannelAttention(nn.Module):
    """Attribute-guided channel attention (ACA, Eqs. 3-4), without biases as the paper writes it.

    W2 is initialised for the ReLU that follows it, W3 Xavier-uniform: the gates start around 1/2.

    Raises:
        ConfigError: the reduction m does not divide C.
    """

    def __init__(self, config: ChannelAttentionConfig, channels: int) -> None:
        super().__init__()
        width, rest = divmod(channels, config.reduction)
        if rest:
            raise ConfigError(
                f"the value of `model.channel_attention.reduction` is {config.reduction}, but must "
                f"divide the fused width C = {channels}",
                "choose a divisor, such as 4, or another model.fusion.channels",
            )
        self.norm = ChannelNorm(config.norm, channels)
        self.w2 = nn.Parameter(torch.empty(width, channels))
        self.w3 = nn.Parameter(torch.empty(channels, width))
        nn.init.kaiming_uniform_(self.w2, nonlinearity="relu")
        nn.init.xavier_uniform_(self.w3)

    def gates(self, prototypes: Float[Tensor, "A C"], v: Float[Tensor, "B R C"]) -> "Gates":
        """Eq. 3 in its linear form, with what Eq. 4 still has to do."""
        mean = at_least_float32(v).mean(dim=1)
        return Gates(
            of_attributes=linear(self.norm(prototypes), self.w2),
            of_images=linear(self.norm(mean), self.w2),
            w3=self.w3,
        )


class Gates(NamedTuple):
    """W2 q as its two summands (q_i^a's is the sum of row a and row i), and W3."""

    of_attributes: Float[Tensor, "A M"]
    of_images: Float[Tensor, "B M"]
    w3: Float[Tensor, "C M"]


def channel_weights(gates: Gates) -> Float[Tensor, "B A C"]:
    """eta of Eq. 4: sigmoid(W3 ReLU(W2 q)), in at least float32."""
    hidden = (gates.of_attributes + gates.of_images.unsqueeze(1)).relu()
    return at_least_float32(linear(hidden, gates.w3)).sigmoid()


class ChannelNorm(nn.Module):
    """norm() of Eq. 3 over C: LayerNorm without or with affine, or L2; one for both summands."""

    def __init__(self, kind: Norm, channels: int) -> None:
        super().__init__()
        self.kind = kind
        affine = kind == "layernorm_affine"
        self.layer = nn.LayerNorm(channels, elementwise_affine=affine) if kind != "l2" else None

    def forward(self, x: Float[Tensor, "rows C"]) -> Float[Tensor, "rows C"]:
        wide = at_least_float32(x)
        normed: Tensor = F.normalize(wide, dim=-1) if self.layer is None else self.layer(wide)
        return normed


def dual_attention(
    v: Float[Tensor, "B R C"],
    queries: Float[Tensor, "A C"],
    probes: Float[Tensor, "A C"],
    gates: Gates | None,
    *,
    with_features: bool,
) -> tuple[Float[Tensor, "B A"], Float[Tensor, "B A C"] | None]:
    """Attribute scores e (Eqs. 1-4, 7) and, if asked for, the features h that the SIT works on.

    Args:
        queries: W1T p; probes: W4T p.
        gates: channel attention; None leaves it out (h = k).
    """
    if gates is None and not with_features:
        return attended_scores(spatial_attention(v, queries), v, probes), None
    if gates is not None and eagerly_on_cpu(v):
        e, h = streamed_dual_attention(v, queries, probes, *gates, with_features)
        return e, h if with_features else None
    k = attribute_features(spatial_attention(v, queries), v)
    h = k if gates is None else k * channel_weights(gates)
    return attribute_scores(h, probes), h if with_features else None


def attended_scores(
    omega: Float[Tensor, "B A R"], v: Float[Tensor, "B R C"], probes: Float[Tensor, "A C"]
) -> Float[Tensor, "B A"]:
    """e of Eq. 7 for h = k, by way of the regions' own scores."""
    region_scores = at_least_float32(torch.matmul(probes, v.transpose(1, 2)))
    return (omega * region_scores).sum(dim=-1)
