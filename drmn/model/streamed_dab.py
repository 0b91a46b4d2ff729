"""The dual attention block on the CPU, one image at a time: Eqs. 1-4 and 7 without a stored k.

The composed form stores k, eta, h and their products as ``[B A C]`` tensors for the backward
pass. Here only omega ``[B A R]`` is kept: k = omega v and eta = sigmoid(W3 ReLU(W2 q)) of one
image fit into the cache, and are computed again in the backward pass. That is exact: the same
operations on the same numbers. With e alone, no ``[B A C]`` tensor exists at any time.

Gradients of one image, from d e_a and (where the SIT follows) d h_a, with g_a = W4T p_a:
  h_a = k_a * eta_a        d k_a  = d h_a * eta_a      where d h_a += d e_a g_a, d g_a += d e_a h_a
  eta = sigmoid(u)         d u_a  = d h_a * k_a * eta_a (1 - eta_a) = d k_a * (k_a - h_a)
  u_a = W3 ReLU(s_a)       d W3  += d u_aT ReLU(s_a),  d s_a = (d u_a W3) where s_a > 0
  k = omega v              d omega = d k vT,           d v += omegaT d k
  omega = softmax(f vT)    d S = omega * (d omega - rowsum(omega * d omega)),
                           d f += d S v,               d v += d ST f
Both parts of d v are one product: [omega; d S]T [d k; f].
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from drmn.model.products import product


class Image(NamedTuple):
    """What one image needs of the block's inputs, ``[A R]``, ``[A M]`` and ``[A C]``."""

    k: Tensor
    hidden: Tensor
    eta: Tensor
    h: Tensor


def _image(omega: Tensor, v: Tensor, descriptor: Tensor, w3: Tensor) -> Image:
    """Eqs. 2 and 4 of one image from its omega ``[A R]``, v ``[R C]`` and W2 q ``[A M]``."""
    k = product(omega, v)
    hidden = descriptor.relu_()
    eta = product(hidden, w3.t()).sigmoid_()
    return Image(k=k, hidden=hidden, eta=eta, h=k * eta)


class _StreamedDualAttention(torch.autograd.Function):
    """(v ``[B R C]``, f = W1T p ``[A C]``, g = W4T p ``[A C]``, W2 q's summands ``[A M]`` and
    ``[B M]``, W3 ``[C M]``, with_features) -> e ``[B A]`` and h ``[B A C]`` (empty without).
    """

    @staticmethod
    def forward(
        ctx: Any,
        v: Tensor,
        queries: Tensor,
        probes: Tensor,
        of_attributes: Tensor,
        of_images: Tensor,
        w3: Tensor,
        with_features: bool,
    ) -> tuple[Tensor, Tensor]:
        num_images, num_attributes = len(v), len(queries)
        omega = v.new_empty(num_images, num_attributes, v.shape[1])
        e = v.new_empty(num_images, num_attributes)
        h = v.new_empty(num_images, num_attributes, v.shape[2]) if with_features else v.new_empty(0)
        for i in range(num_images):
            torch.softmax(product(queries, v[i].t()), dim=-1, out=omega[i])
            image = _image(omega[i], v[i], of_attributes + of_images[i], w3)
            if with_features:
                h[i] = image.h
            torch.sum(image.h.mul_(probes), dim=-1, out=e[i])
        ctx.save_for_backward(v, queries, probes, of_attributes, of_images, w3, omega)
        ctx.set_materialize_grads(False)
        return e, h

    @staticmethod
    def backward(ctx: Any, d_e: Tensor | None, d_h: Tensor | None) -> tuple[Tensor | None, ...]:
        v, queries, probes, of_attributes, of_images, w3, omega = ctx.saved_tensors
        gradients = _Gradients(v, queries, probes, of_attributes, of_images, w3)
        into_v = ctx.needs_input_grad[0]  # not for the cached level of a frozen backbone
        for i in range(len(v)):
            image = _image(omega[i], v[i], of_attributes + of_images[i], w3)
            d_image = torch.zeros_like(image.h) if d_h is None else d_h[i].clone()
            if d_e is not None:
                d_scores = d_e[i].unsqueeze(1)
                d_image.addcmul_(d_scores, probes)
                gradients.probes.addcmul_(d_scores, image.h)
            d_k = d_image.mul_(image.eta)
            gradients.through_gates(i, image, d_k)
            d_scores = gradients.through_attention(i, omega[i], d_k)
            if into_v:
                gradients.into_v(i, omega[i], d_scores, d_k)
        return (gradients.v if into_v else None, *gradients.of_weights(), None)


class _Gradients:
    """Sums over the images; W3's is held transposed, which its product prefers."""

    def __init__(
        self,
        v: Tensor,
        queries: Tensor,
        probes: Tensor,
        of_attributes: Tensor,
        of_images: Tensor,
        w3: Tensor,
    ) -> None:
        self._inputs = v, w3
        self.v, self.of_images = torch.empty_like(v), torch.empty_like(of_images)
        self.queries, self.probes = torch.zeros_like(queries), torch.zeros_like(probes)
        self.of_attributes = torch.zeros_like(of_attributes)
        self.w3 = torch.zeros_like(w3.t())
        num_attributes, num_regions = len(queries), v.shape[1]
        self._left = v.new_empty(2 * num_attributes, num_regions)  # [omega; dS]
        self._right = torch.cat([queries, queries])  # [dk; f]

    def through_gates(self, i: int, image: Image, d_k: Tensor) -> None:
        """Into W3 and the summands of W2 q; overwrites ``image.k``."""
        d_u = image.k.sub_(image.h).mul_(d_k)
        self.w3 += product(image.hidden.t(), d_u)
        d_s = product(d_u, self._inputs[1]).mul_(image.hidden > 0)
        self.of_attributes += d_s
        torch.sum(d_s, dim=0, out=self.of_images[i])

    def through_attention(self, i: int, omega: Tensor, d_k: Tensor) -> Tensor:
        """Into the queries f; returns d S ``[A R]``."""
        v = self._inputs[0][i]
        d_omega = product(d_k, v.t())
        d_scores = d_omega.sub_((d_omega * omega).sum(dim=-1, keepdim=True)).mul_(omega)
        self.queries += product(d_scores, v)
        return d_scores

    def into_v(self, i: int, omega: Tensor, d_scores: Tensor, d_k: Tensor) -> None:
        num_attributes = len(omega)
        self._left[:num_attributes] = omega
        self._left[num_attributes:] = d_scores
        self._right[:num_attributes] = d_k
        self.v[i] = product(self._left.t(), self._right)

    def of_weights(self) -> tuple[Tensor, ...]:
        """In forward's order, from the queries on."""
        return self.queries, self.probes, self.of_attributes, self.of_images, self.w3.t()


streamed_dual_attention: Callable[..., tuple[Tensor, Tensor]] = _StreamedDualAttention.apply
