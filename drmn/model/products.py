"""Matrix products on the CPU through whichever library is faster there, and a linear layer of them.

PyTorch sends float32 products to MKL, which takes its AVX2 path on processors that are not
Intel's. oneDNN, which PyTorch also carries, uses AVX-512 wherever it is present: measured at
more than twice the rate on an AMD EPYC. Both give the same float32 result up to the order of
summation. Everything else (float64, accelerators, autocast, an older instruction set) takes
PyTorch's usual path.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def _onednn_linear() -> Callable[..., Tensor] | None:
    """``(x, weight, ...) -> x @ weight.T`` of oneDNN where it is the faster one, else None."""
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return None
    linear_operator: Callable[..., Tensor] | None = getattr(
        torch.ops.mkldnn, "_linear_pointwise", None
    )
    return linear_operator


_ONEDNN_LINEAR = _onednn_linear()


def product(x: Float[Tensor, "m k"], y: Float[Tensor, "k n"]) -> Float[Tensor, "m n"]:
    """``x @ y`` without autograd; any strides, so transposed views cost nothing."""
    on_cpu = x.device.type == "cpu" and x.dtype == y.dtype == torch.float32
    if on_cpu and _ONEDNN_LINEAR is not None:
        return _ONEDNN_LINEAR(x, y.t(), None, "none", [], "")
    return torch.mm(x, y)


def eagerly_on_cpu(x: Tensor) -> bool:
    """Whether ``x`` is computed on in its own float32 or float64: no autocast, no torch.compile.

    Where this holds, hand-written CPU forms replace PyTorch's; a compiler sees the plain ones.
    """
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
    )


class Linear(nn.Linear):
    """``nn.Linear`` (same parameters, initialisation and result) over :func:`product`."""

    def forward(self, input: Tensor) -> Tensor:
        return linear(input, self.weight, self.bias)


def linear(
    x: Float[Tensor, "*rows c"],
    weight: Float[Tensor, "d c"],
    bias: Float[Tensor, " d"] | None = None,
) -> Float[Tensor, "*rows d"]:
    """``x @ weight.T + bias``, differentiable."""
    if not (eagerly_on_cpu(x) and x.dtype == weight.dtype):
        return F.linear(x, weight, bias)
    flat = _linear(x.reshape(-1, x.shape[-1]), weight, bias)
    return flat.view(*x.shape[:-1], -1)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        y = product(x, weight.t())
        return y if bias is None else y.add_(bias)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            product(dy, weight) if needs_x else None,
            product(dy.t(), x) if needs_weight else None,
            dy.sum(dim=0) if needs_bias else None,
        )


_linear: Callable[[Tensor, Tensor, Tensor | None], Tensor] = _Linear.apply
