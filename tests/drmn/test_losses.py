"""Eqs. 9-11 against plain loops, for each preset, with and without the SIT's scores."""

import numpy as np
import paper_equations as paper
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from drmn.config import Config, LossConfig
from drmn.losses import (
    attribute_cross_entropy,
    attribute_loss,
    global_loss,
    self_calibration,
    total_loss,
)
from drmn.model.network import Scores

few = settings(max_examples=10, deadline=None)
batches = st.tuples(*(st.integers(1, n) for n in (5, 4, 4)), st.integers(0, 2**31))


class Batch:
    """Random logits of N images over some seen and some unseen classes, in mixed order."""

    def __init__(self, size):
        N, num_seen, num_unseen, seed = size
        rng = np.random.default_rng(seed)
        self.seen = rng.permutation(np.arange(num_seen + num_unseen) < num_seen)
        self.labels = rng.choice(np.flatnonzero(self.seen), N)
        self.o, self.o_sit, self.g = rng.normal(scale=3.0, size=(3, N, num_seen + num_unseen))

    def tensors(self):
        return tuple(torch.from_numpy(x) for x in (self.o, self.labels, self.seen))

    def scores(self, *, sit=True, global_branch=True):
        return Scores(
            o=torch.from_numpy(self.o),
            g=torch.from_numpy(self.g) if global_branch else None,
            o_sit=torch.from_numpy(self.o_sit) if sit else None,
        )

    def total(self, config, **scores):
        _, labels, seen = self.tensors()
        return total_loss(self.scores(**scores), labels, seen, config)


def expected_attribute_loss(o, labels, seen, lambda_sc, preset):
    """``paper_mean`` is Eq. 9 with its second sum divided by the number of unseen classes."""
    if preset == "dazle":
        return paper.dazle_loss(o, labels, seen, lambda_sc)
    divisor = (~seen).sum() if preset == "paper_mean" else 1
    return paper.equation_9(o, labels, seen, lambda_sc / divisor)


weights = st.just(0.0) | st.floats(1e-9, 2)  # below 1e-308 no quotient has nine digits
presets = pytest.mark.parametrize("preset", ["paper", "paper_mean", "dazle"])


@presets
@few
@given(batches, weights)
def test_equation_9_in_each_preset(preset, size, lambda_sc):
    batch = Batch(size)
    loss, _ = attribute_loss(*batch.tensors(), LossConfig(preset=preset, lambda_sc=lambda_sc))
    expected = expected_attribute_loss(batch.o, batch.labels, batch.seen, lambda_sc, preset)
    assert_allclose(loss, expected, rtol=1e-9)


@few
@given(batches)
def test_equation_10_is_cross_entropy_over_all_classes(size):
    batch = Batch(size)
    loss = global_loss(torch.from_numpy(batch.g), torch.from_numpy(batch.labels))
    assert_allclose(loss, paper.equation_10(batch.g, batch.labels), rtol=1e-9)


@few
@given(batches, weights, weights)
def test_equation_11_adds_the_weighted_global_loss(size, lambda_sc, lambda_gc):
    batch = Batch(size)
    config = Config(loss=LossConfig(lambda_sc=lambda_sc, lambda_gc=lambda_gc))
    losses = batch.total(config, sit=False)
    l_ac = paper.equation_9(batch.o, batch.labels, batch.seen, lambda_sc)
    l_gc = paper.equation_10(batch.g, batch.labels)
    assert_allclose(losses.attribute, l_ac, rtol=1e-9)
    assert_allclose(losses.global_, l_gc, rtol=1e-9)
    assert_allclose(losses.total, l_ac + lambda_gc * l_gc, rtol=1e-9)


@presets
@few
@given(batches)
def test_with_the_sit_it_is_the_mean_over_both_scores_of_every_image(preset, size):
    batch = Batch(size)
    losses = batch.total(Config(loss=LossConfig(preset=preset, lambda_sc=0.3)))
    both = np.concatenate([batch.o, batch.o_sit])
    labels = np.concatenate([batch.labels, batch.labels])
    expected = expected_attribute_loss(both, labels, batch.seen, 0.3, preset)
    assert_allclose(losses.attribute, expected, rtol=1e-9)


@few
@given(batches, st.floats(0, 5))
def test_the_sits_weight_is_relative_to_the_scores_before_it(size, weight):
    batch = Batch(size)
    config = Config().with_overrides({"model.sit.loss_weight": weight})
    before, after = (
        paper.equation_9(o, batch.labels, batch.seen, config.loss.lambda_sc)
        for o in (batch.o, batch.o_sit)
    )
    expected = (before + weight * after) / (1 + weight)
    assert_allclose(batch.total(config).attribute, expected, rtol=1e-9)


def test_without_global_branch_the_total_is_the_attribute_loss():
    losses = Batch((4, 3, 2, 0)).total(Config(), global_branch=False)
    assert losses.global_ == 0
    assert torch.equal(losses.total, losses.attribute)


def test_reported_calibration_is_before_its_weight():
    batch = Batch((4, 3, 2, 0))
    o, labels, seen = batch.tensors()
    losses = batch.total(Config(loss=LossConfig(lambda_sc=0.5)), sit=False)
    assert_allclose(losses.self_calibration, self_calibration(o, seen, "paper"))
    entropy = attribute_cross_entropy(o, labels, seen, "paper")
    assert_allclose(losses.attribute, entropy + 0.5 * losses.self_calibration)


def test_classes_without_a_global_head_leave_loss_and_gradient_finite():
    g = torch.tensor([[1.0, -torch.inf, 2.0]], requires_grad=True)
    loss = global_loss(g, torch.tensor([0]))
    loss.backward()
    assert loss.isfinite()
    assert g.grad.isfinite().all()
    assert g.grad[0, 1] == 0


def test_cross_entropy_of_seen_classes_does_not_move_unseen_logits():
    batch = Batch((4, 3, 2, 0))
    o, labels, seen = batch.tensors()
    o.requires_grad_()
    attribute_cross_entropy(o, labels, seen, "paper").backward()
    assert o.grad[:, ~seen].eq(0).all()


@presets
def test_calibration_falls_as_unseen_logits_rise(preset):
    o, _, seen = Batch((4, 3, 2, 0)).tensors()
    raised = o + (~seen).double()
    assert self_calibration(raised, seen, preset) < self_calibration(o, seen, preset)


def test_rows_weigh_in_the_unseen_mass_of_dazle():
    o, seen = torch.tensor([[0.0, 2.0], [0.0, -2.0]]), torch.tensor([True, False])
    first = self_calibration(o[:1], seen, "dazle")
    weighted = self_calibration(o, seen, "dazle", torch.tensor([1.0, 0.0]))
    assert_allclose(weighted, first, rtol=1e-6)
    assert not torch.isclose(weighted, self_calibration(o, seen, "dazle"))
