"""Eqs. 1-4 and 7 against plain loops, and the streamed form against the composed one."""

import numpy as np
import paper_equations as paper
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from drmn.errors import ConfigError
from drmn.model import attention
from drmn.model.attention import (
    ChannelAttention,
    SpatialAttention,
    attribute_features,
    channel_weights,
    dual_attention,
    spatial_attention,
)
from drmn.model.classifier import AttributeClassifier
from drmn.model_config import ChannelAttentionConfig

few = settings(max_examples=8, deadline=None)
sizes = st.tuples(*(st.integers(1, n) for n in (3, 5, 6, 3)), st.integers(0, 2**31))


class Block:
    """Random float64 inputs and parameters of one dual attention block."""

    def __init__(self, size, norm="layernorm"):
        self.B, self.A, self.R, quarter, seed = size
        self.C = 4 * quarter
        torch.manual_seed(seed)
        self.v = torch.randn(self.B, self.R, self.C, dtype=torch.float64, requires_grad=True)
        self.p = torch.randn(self.A, self.C, dtype=torch.float64, requires_grad=True)
        self.spatial = SpatialAttention(self.C).double()
        self.channel = ChannelAttention(ChannelAttentionConfig(norm=norm), self.C).double()
        self.classifier = AttributeClassifier(self.C).double()

    def parameters(self):
        parts = (self.spatial, self.channel, self.classifier)
        return [self.v, self.p, *(weight for part in parts for weight in part.parameters())]

    def scores(self, *, gated=True, with_features=True):
        return dual_attention(
            self.v,
            self.spatial.queries(self.p),
            self.classifier.probes(self.p),
            self.channel.gates(self.p, self.v) if gated else None,
            with_features=with_features,
        )

    def arrays(self):
        weights = (self.spatial.w1, self.channel.w2, self.channel.w3, self.classifier.w4)
        return [x.detach().numpy() for x in (self.v, self.p, *weights)]


def relative(actual, expected):
    assert_allclose(torch.as_tensor(actual).detach().numpy(), expected, rtol=1e-9, atol=1e-13)


@few
@given(sizes)
def test_equation_1_is_the_softmax_over_regions(size):
    block = Block(size)
    v, p, w1, *_ = block.arrays()
    omega = spatial_attention(block.v, block.spatial.queries(block.p))
    relative(omega, [paper.equation_1(p, w1, v_i) for v_i in v])


@few
@given(sizes)
def test_equation_2_is_the_attended_mean(size):
    block = Block(size)
    omega = torch.rand(block.B, block.A, block.R, dtype=torch.float64)
    k = attribute_features(omega, block.v)
    v = block.arrays()[0]
    relative(k, [paper.equation_2(w, v_i) for w, v_i in zip(omega.numpy(), v, strict=True)])


@few
@given(sizes, st.sampled_from(["layernorm", "layernorm_affine", "l2"]))
def test_equation_3_under_w2_is_the_sum_of_its_summands(size, norm):
    block = Block(size, norm)
    v, p, _, w2, *_ = block.arrays()
    gates = block.channel.gates(block.p, block.v)
    q = [paper.equation_3(p, v_i, paper.l2_norm if norm == "l2" else paper.layer_norm) for v_i in v]
    expected = [[w2 @ q_a for q_a in q_i] for q_i in q]
    relative(gates.of_attributes + gates.of_images.unsqueeze(1), expected)


def test_affine_norm_is_one_module_for_both_summands():
    block = Block((2, 3, 4, 2, 0), "layernorm_affine")
    with torch.no_grad():
        for weight in block.channel.norm.parameters():
            weight.copy_(torch.randn(block.C))
    weight, bias = (w.detach().numpy() for w in block.channel.norm.parameters())
    v, p, _, w2, *_ = block.arrays()
    q = paper.equation_3(p, v[0], lambda x: paper.layer_norm(x, weight, bias))
    gates = block.channel.gates(block.p, block.v)
    relative(gates.of_attributes + gates.of_images[0], q @ w2.T)


@few
@given(sizes)
def test_equation_4_gates_each_channel(size):
    block = Block(size)
    v, p, _, w2, w3, _ = block.arrays()
    eta = channel_weights(block.channel.gates(block.p, block.v))
    relative(eta, [paper.equation_4(paper.equation_3(p, v_i), w2, w3) for v_i in v])


@few
@given(sizes, st.booleans(), st.booleans())
def test_the_block_gives_scores_and_features_of_equations_1_to_7(size, gated, with_features):
    block = Block(size)
    v, p, w1, w2, w3, w4 = block.arrays()
    e, h = block.scores(gated=gated, with_features=with_features)
    expected = [paper.equation_2(paper.equation_1(p, w1, v_i), v_i) for v_i in v]
    if gated:
        eta = [paper.equation_4(paper.equation_3(p, v_i), w2, w3) for v_i in v]
        expected = [k * weights for k, weights in zip(expected, eta, strict=True)]
    relative(e, [paper.equation_7(p, w4, h_i) for h_i in expected])
    assert (h is not None) == with_features
    if h is not None:
        relative(h, expected)


@pytest.mark.parametrize("with_features", [True, False])
def test_streamed_and_composed_forms_agree_with_their_gradients(monkeypatch, with_features):
    block = Block((3, 5, 7, 3, 0))
    weights = torch.randn(3, 5, 12, dtype=torch.float64)

    def gradients():
        e, h = block.scores(with_features=with_features)
        total = e.square().sum() + (0 if h is None else (h * weights).sum())
        return [e, *torch.autograd.grad(total, block.parameters())]

    streamed = gradients()
    monkeypatch.setattr(attention, "eagerly_on_cpu", lambda _: False)
    for ours, theirs in zip(streamed, gradients(), strict=True):
        assert_allclose(ours.detach(), theirs.detach(), rtol=1e-10, atol=1e-12)


def test_streamed_form_in_float32_agrees_with_float64():
    block = Block((2, 6, 9, 4, 1))
    exact = block.scores(with_features=False)[0]
    gates = block.channel.gates(block.p, block.v)
    e, _ = dual_attention(
        block.v.float(),
        block.spatial.queries(block.p).float(),
        block.classifier.probes(block.p).float(),
        type(gates)(*(part.float() for part in gates)),
        with_features=False,
    )
    assert_allclose(e.detach(), exact.detach(), rtol=1e-5, atol=1e-5)


def test_frozen_features_get_no_gradient():
    block = Block((2, 3, 4, 2, 0))
    block.v.requires_grad_(False)
    block.scores(with_features=False)[0].sum().backward()
    assert block.v.grad is None
    assert all(weight.grad is not None for weight in block.parameters()[1:])


def test_region_attention_is_the_one_of_dense_attribute_attention():
    """DAZLE: alpha_a^r proportional to exp(f_rT W v_a), h_a = sum_r alpha_a^r f_r, v_a given."""
    block = Block((2, 3, 5, 2, 0))
    v, p, w1, *_ = block.arrays()
    alpha = np.exp(np.einsum("brf,fv,av->bra", v, w1.T, p))
    alpha /= alpha.sum(axis=1, keepdims=True)
    omega = spatial_attention(block.v, block.spatial.queries(block.p))
    relative(omega, alpha.transpose(0, 2, 1))
    relative(attribute_features(omega, block.v), np.einsum("bra,brf->baf", alpha, v))


def test_prototypes_locate_attributes_as_similarity_maps_do():
    """APN: the map of an attribute is its prototype's product with each region; W1 = identity."""
    block = Block((1, 4, 6, 3, 2))
    with torch.no_grad():
        block.spatial.w1.copy_(torch.eye(block.C))
    v, p, *_ = block.arrays()
    peaks = spatial_attention(block.v, block.spatial.queries(block.p)).argmax(dim=-1)
    assert_allclose(peaks[0], (p @ v[0].T).argmax(axis=1))


def test_reduction_must_divide_the_width():
    with pytest.raises(ConfigError, match=r"reduction` is 4, but must divide .* C = 10"):
        ChannelAttention(ChannelAttentionConfig(reduction=4), 10)
