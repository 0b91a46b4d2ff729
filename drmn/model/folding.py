"""A frozen network without its batch norms: each is folded into the convolution before it.

In evaluation a batch norm is a fixed scale and shift per channel, so
``bn(W x) = (s W) x + t`` exactly; in float32 the results differ by rounding alone.
"""

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)


def folded(network: Network) -> Network:
    """A copy in evaluation mode whose convolutions do the work of the norms right behind them.

    Modules must be registered in the order in which they run, as torchvision's are.
    """
    network = copy.deepcopy(network).eval()
    for parent in list(network.modules()):
        _fold_children(parent)
    return network


def _fold_children(parent: nn.Module) -> None:
    before = ("", parent)
    for name, child in list(parent.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(before[1], nn.Conv2d):
            setattr(parent, before[0], _fused(before[1], child))
            setattr(parent, name, nn.Identity())
        before = (name, child)


def _fused(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Its weight lies channels last, as pictures and levels do: the faster layout."""
    fused = fuse_conv_bn_eval(convolution, norm)
    laid_out = fused.weight.contiguous(memory_format=torch.channels_last)
    fused.weight = nn.Parameter(laid_out, requires_grad=False)
    return fused
