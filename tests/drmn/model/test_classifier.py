"""Eqs. 7-8 and the global branch against plain loops."""

import paper_equations as paper
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from drmn.errors import ConfigError
from drmn.model.classifier import (
    AttributeClassifier,
    GlobalBranch,
    attribute_scores,
    hyperspherical_logits,
)
from drmn.model_config import GlobalBranchConfig

few = settings(max_examples=8, deadline=None)
sizes = st.tuples(*(st.integers(1, n) for n in (3, 5, 6)), st.integers(0, 2**31))


@few
@given(sizes)
def test_equation_7_with_w4_folded_into_the_prototypes(size):
    B, A, C, seed = size
    torch.manual_seed(seed)
    h, p = torch.randn(B, A, C, dtype=torch.float64), torch.randn(A, C, dtype=torch.float64)
    classifier = AttributeClassifier(C).double()
    e = attribute_scores(h, classifier.probes(p)).detach()
    w4 = classifier.w4.detach().numpy()
    expected = [paper.equation_7(p.numpy(), w4, h_i) for h_i in h.numpy()]
    assert_allclose(e, expected, rtol=1e-9, atol=1e-13)


@few
@given(sizes, st.floats(0.5, 20))
def test_equation_8_is_gamma_squared_cosines(size, gamma):
    B, A, K, seed = size
    torch.manual_seed(seed)
    e, z = torch.randn(B, A, dtype=torch.float64), torch.rand(K, A, dtype=torch.float64) + 0.1
    expected = [paper.equation_8(z.numpy(), e_i, gamma) for e_i in e.numpy()]
    assert_allclose(hyperspherical_logits(e, z, gamma), expected, rtol=1e-9, atol=1e-12)


def test_a_zero_vector_has_cosine_zero():
    logits = hyperspherical_logits(torch.zeros(1, 3), torch.rand(2, 3), 5.0)
    assert logits.eq(0).all()


def test_logits_stay_float32_under_autocast():
    e, z = torch.randn(2, 5), torch.rand(3, 5)
    with torch.autocast("cpu", torch.bfloat16):
        logits = hyperspherical_logits(e.bfloat16(), z, 5.0)
    assert logits.dtype == torch.float32
    assert_allclose(logits, hyperspherical_logits(e.bfloat16().float(), z, 5.0), rtol=1e-6)


def test_global_branch_is_linear_in_the_average_of_the_last_stage():
    branch = GlobalBranch(GlobalBranchConfig(), 6, torch.tensor([True, True, False])).double()
    last = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    weight, bias = branch.linear.weight.detach().numpy(), branch.linear.bias.detach().numpy()
    expected = [weight @ (sum(sum(rows) for rows in image) / 20) + bias for image in last.numpy()]
    assert_allclose(branch(last).detach(), expected, rtol=1e-9)


def test_seen_only_head_is_minus_infinity_at_unseen_classes():
    seen = torch.tensor([True, False, True, False])
    branch = GlobalBranch(GlobalBranchConfig(classes="seen"), 6, seen)
    g = branch(torch.randn(3, 2, 2, 6))
    assert branch.linear.out_features == 2
    assert g[:, ~seen].eq(-torch.inf).all()
    assert g[:, seen].isfinite().all()


def test_seen_only_head_needs_a_seen_class():
    with pytest.raises(ConfigError, match="no seen class"):
        GlobalBranch(GlobalBranchConfig(classes="seen"), 6, torch.tensor([False, False]))
