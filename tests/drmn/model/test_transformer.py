"""Eqs. 5-6 against plain loops and PyTorch's own layer; dropout against explicit masks."""

import paper_equations as paper
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from drmn.errors import ConfigError
from drmn.model import streamed_attention
from drmn.model.streamed_attention import attention, attention_mask, seeded_attention
from drmn.model.transformer import SemanticInteractionTransformer
from drmn.model_config import SitConfig

few = settings(max_examples=6, deadline=None)


def transformer(channels, **config):
    """A float64 layer whose biases and norms are random too."""
    sit = SemanticInteractionTransformer(SitConfig(**config), channels).double()
    with torch.no_grad():
        for weight in sit.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return sit


def as_arrays(sit):
    q, k, v = sit.query_key_value.weight.chunk(3)
    q_bias, k_bias, v_bias = sit.query_key_value.bias.chunk(3)
    tensors = {
        "q": q, "k": k, "v": v, "q_bias": q_bias, "k_bias": k_bias, "v_bias": v_bias,
        "o": sit.output.weight, "o_bias": sit.output.bias,
        "norm1": sit.norm_attention.weight, "norm1_bias": sit.norm_attention.bias,
        "mlp1": sit.widen.weight, "mlp1_bias": sit.widen.bias,
        "mlp2": sit.narrow.weight, "mlp2_bias": sit.narrow.bias,
        "norm2": sit.norm_feedforward.weight, "norm2_bias": sit.norm_feedforward.bias,
    }  # fmt: skip
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


def as_torch_layer(sit, channels):
    """(torch's encoder layer with the same weights, pairs of corresponding parameters)."""
    layer = torch.nn.TransformerEncoderLayer(
        channels, sit.heads, sit.widen.out_features, dropout=0.0, batch_first=True
    ).double()
    pairs = [
        (sit.query_key_value.weight, layer.self_attn.in_proj_weight),
        (sit.query_key_value.bias, layer.self_attn.in_proj_bias),
        *zip(sit.output.parameters(), layer.self_attn.out_proj.parameters(), strict=True),
        *zip(sit.widen.parameters(), layer.linear1.parameters(), strict=True),
        *zip(sit.narrow.parameters(), layer.linear2.parameters(), strict=True),
        *zip(sit.norm_attention.parameters(), layer.norm1.parameters(), strict=True),
        *zip(sit.norm_feedforward.parameters(), layer.norm2.parameters(), strict=True),
    ]
    with torch.no_grad():
        for ours, theirs in pairs:
            theirs.copy_(ours)
    return layer, pairs


@few
@given(*(st.integers(1, n) for n in (2, 4, 2, 3)), st.integers(0, 2**31))
def test_equations_5_and_6_over_one_sequence_of_all_tokens(B, A, heads, size, seed):
    torch.manual_seed(seed)
    sit = transformer(heads * size, heads=heads, feedforward=5, dropout=0.0)
    h = torch.randn(B, A, heads * size, dtype=torch.float64)
    expected = paper.equations_5_6(h.numpy().reshape(B * A, -1), as_arrays(sit), heads)
    actual = sit(h).detach().reshape(B * A, -1)
    assert_allclose(actual, expected, rtol=1e-9, atol=1e-11)


def test_equal_to_pytorchs_encoder_layer_forward_and_backward():
    torch.manual_seed(0)
    sit = transformer(12, heads=3, dropout=0.0)
    layer, pairs = as_torch_layer(sit, 12)
    h = torch.randn(2, 5, 12, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(2, 5, 12, dtype=torch.float64)
    ours, theirs = sit(h), layer(h.reshape(1, 10, 12)).view_as(h)
    assert_allclose(ours.detach(), theirs.detach(), rtol=1e-10, atol=1e-12)
    gradients = (
        torch.autograd.grad((output * weights).sum(), [h, *(pair[side] for pair in pairs)])
        for side, output in enumerate((ours, theirs))
    )
    for left, right in zip(*gradients, strict=True):
        assert_allclose(left, right, rtol=1e-9, atol=1e-11)


@pytest.fixture
def small_blocks(monkeypatch):
    """Several uneven blocks even for a dozen tokens."""
    monkeypatch.setattr(streamed_attention, "_BLOCK_VALUES", 1)
    monkeypatch.setattr(streamed_attention, "_MIN_BLOCK_ROWS", 4)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("dropout", [0.5, 0.1])
def test_streamed_dropout_equals_the_explicit_mask(dropout):
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 11, 6, dtype=torch.float64).requires_grad_().unbind(0)
    mask = attention_mask(2, 11, dropout, 7, torch.float64)
    explicit = ((query @ key.mT / 6**0.5).softmax(dim=-1) * mask) @ value
    streamed = seeded_attention(query, key, value, dropout, seed=7)
    assert_allclose(streamed.detach(), explicit.detach(), rtol=1e-10)
    left, right = (
        torch.autograd.grad(output.square().sum(), [query, key, value], retain_graph=True)
        for output in (streamed, explicit)
    )
    for ours, theirs in zip(left, right, strict=True):
        assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("small_blocks")
def test_streamed_gradient_by_finite_differences():
    torch.manual_seed(0)
    inputs = [torch.randn(1, 6, 2, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    assert torch.autograd.gradcheck(lambda *x: seeded_attention(*x, 0.5, 3), inputs, fast_mode=True)


def test_without_dropout_it_is_plain_attention():
    query, key, value = torch.randn(3, 2, 9, 4, dtype=torch.float64).unbind(0)
    expected = F.scaled_dot_product_attention(query, key, value)
    assert_allclose(attention(query, key, value, 0.0), expected, rtol=1e-10)
    assert_allclose(seeded_attention(query, key, value, 0.0, 0), expected, rtol=1e-10)


def test_the_global_seed_decides_the_masks():
    sit, h = transformer(8, heads=2), torch.randn(2, 3, 8, dtype=torch.float64)
    outputs = [torch.manual_seed(seed) and sit(h) for seed in (1, 1, 2)]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


def test_no_dropout_in_evaluation():
    sit, h = transformer(8, heads=2).eval(), torch.randn(2, 3, 8, dtype=torch.float64)
    assert torch.equal(sit(h), sit(h))


def test_attention_dropout_can_differ_from_the_rest():
    sit = transformer(8, heads=2, dropout=0.5, attention_dropout=0.0)
    assert (sit.dropout, sit.attention_dropout) == (0.5, 0.0)


def test_heads_must_divide_the_width():
    with pytest.raises(ConfigError, match=r"heads` is 3, but must divide .* C = 8"):
        SemanticInteractionTransformer(SitConfig(heads=3), 8)


def test_too_wide_heads_name_the_remedy():
    with pytest.raises(ConfigError, match=r"leaves 512 channels(.|\n)*heads to at least 8"):
        SemanticInteractionTransformer(SitConfig(heads=4), 2048)
