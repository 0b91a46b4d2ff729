"""What the streamed forms do not keep between the forward and the backward pass."""

from contextlib import contextmanager

import torch

from drmn.model.attention import ChannelAttention, dual_attention
from drmn.model.streamed_attention import seeded_attention
from drmn.model_config import ChannelAttentionConfig


@contextmanager
def kept_sizes():
    """Collects the number of elements of every tensor that autograd keeps."""
    sizes = []

    def pack(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield sizes


def test_dual_attention_keeps_nothing_of_images_by_attributes_by_channels():
    B, A, R, C = 16, 24, 9, 64
    channel = ChannelAttention(ChannelAttentionConfig(), C)
    v, p = (torch.randn(*shape, requires_grad=True) for shape in ((B, R, C), (A, C)))
    with kept_sizes() as sizes:
        dual_attention(v, p, p, channel.gates(p, v), with_features=False)
    assert max(sizes) == B * R * C < B * A * C


def test_attention_keeps_memory_linear_in_the_tokens():
    totals = {}
    for num_tokens in (50, 100):
        query = torch.randn(2, num_tokens, 4, requires_grad=True)
        with kept_sizes() as sizes:
            seeded_attention(query, query, query, 0.5, 0)
        totals[num_tokens] = sum(sizes)
    assert totals[100] == 2 * totals[50]
