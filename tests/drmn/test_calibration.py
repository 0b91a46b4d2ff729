"""Exact beta against a fine grid; the seen-unseen curve against a loop over offsets."""

import dataclasses

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from drmn.accuracy import gzsl_accuracies
from drmn.calibration import exact_beta, seen_unseen_curve
from drmn.config import InferenceConfig
from drmn.logits import Logits

GRID = torch.linspace(0.0, 1.0, 10_001, dtype=torch.float64)


def random_logits(seed: int, num_images: int, num_classes: int, scale: float = 2.0) -> Logits:
    """Informative scores: the label's class is lifted in both branches, at random strengths."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(num_images) % num_classes
    lift = torch.zeros(num_images, num_classes).scatter_(1, labels[:, None], 1.0)
    draw = lambda: scale * torch.randn(num_images, num_classes, generator=random)  # noqa: E731
    strength = scale * torch.rand(num_images, 1, generator=random)
    return Logits(
        o=draw() + strength * lift,
        g=draw() + (scale - strength) * lift,
        labels=labels,
        seen=torch.arange(num_classes) < (num_classes + 1) // 2,
    )


def grid_harmonics(logits: Logits, offset: float) -> np.ndarray:
    """H at every point of GRID, image by image, straight from Algorithm 1."""
    assert logits.g is not None
    s, t = logits.o.double().softmax(1), logits.g.double().softmax(1)
    y1 = (logits.o.double() + offset * ~logits.seen).argmax(1)
    totals = {True: np.zeros(len(GRID)), False: np.zeros(len(GRID))}
    for i, label in enumerate(logits.labels.tolist()):
        mixed = GRID[:, None] * s[i] + (1.0 - GRID[:, None]) * t[i]
        answers = mixed.argmax(1) if logits.seen[y1[i]] else y1[i].expand(len(GRID))
        share = 1.0 / int((logits.labels == label).sum())
        totals[bool(logits.seen[label])] += share * (answers == label).numpy()
    classes = logits.labels.unique()
    seen = totals[True] / int(logits.seen[classes].sum())
    unseen = totals[False] / int((~logits.seen[classes]).sum())
    return 2 * seen * unseen / np.maximum(seen + unseen, 1e-300)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    num_images=st.integers(9, 24),
    num_classes=st.integers(2, 8),
    offset=st.sampled_from([0.0, 1.0, 2.5, -1.0]),
)
def test_no_point_of_a_fine_grid_is_better(seed, num_images, num_classes, offset):
    logits = random_logits(seed, num_images, num_classes)
    best, grid = exact_beta(logits, offset), grid_harmonics(logits, offset)
    assert best.harmonic >= grid.max() - 1e-12
    low, high = best.interval
    inside = [low + 1e-9 < beta < high - 1e-9 for beta in GRID.tolist()]
    np.testing.assert_allclose(grid[inside], best.harmonic, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), num_images=st.integers(9, 200), seen_only=st.booleans())
def test_the_claimed_value_is_what_algorithm_1_gives(seed, num_images, seen_only):
    logits = random_logits(seed, num_images, 9)
    if seen_only:
        head = logits.g.masked_fill(~logits.seen, -torch.inf)
        logits = dataclasses.replace(logits, g=head)
    best = exact_beta(logits)
    low, high = best.interval
    assert low < best.beta < high
    for beta in (best.beta, low + 0.01 * (high - low), high - 0.01 * (high - low)):
        assert gzsl_accuracies(logits, InferenceConfig(beta=beta)).harmonic == best.harmonic


def test_ties_go_to_the_middle_of_the_widest_interval():
    # Image 0 is right above beta 0.75, image 1 below 0.5: S is 1/2 on either side, 0 between.
    s = torch.tensor([[0.6, 0.4, 1e-9], [0.7, 0.3, 1e-9], [0.1, 0.1, 0.8]], dtype=torch.float64)
    t = torch.tensor([[0.2, 0.8, 1e-9], [0.3, 0.7, 1e-9], [0.1, 0.1, 0.8]], dtype=torch.float64)
    logits = Logits(
        o=s.log(), g=t.log(), labels=torch.arange(3), seen=torch.tensor([True, True, False])
    )
    best = exact_beta(logits)
    assert best.interval == pytest.approx((0.0, 0.5))
    assert best.beta == pytest.approx(0.25)
    assert best.harmonic == pytest.approx(2 / 3)


def test_equal_columns_are_decided_by_their_order():
    logits = Logits(
        o=torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 5.0]]),
        g=torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 5.0]]),
        labels=torch.tensor([0, 1, 2]),
        seen=torch.tensor([True, True, False]),
    )
    best = exact_beta(logits, 0.0)
    assert best.interval == (0.0, 1.0) and best.beta == 0.5
    assert best.harmonic == pytest.approx(2 / 3)  # class 1 loses every tie to class 0


@pytest.mark.parametrize("ensemble", [True, False])
def test_without_an_ensemble_beta_is_one(ensemble):
    logits = random_logits(3, 40, 8)
    alone = dataclasses.replace(logits, g=None) if ensemble else logits
    best = exact_beta(alone, ensemble=ensemble)
    assert best.beta == 1.0
    assert best.harmonic == gzsl_accuracies(logits, InferenceConfig(beta=1.0)).harmonic


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), num_images=st.integers(9, 40))
def test_the_curve_holds_at_every_offset(seed, num_images):
    logits = random_logits(seed, num_images, 7)
    curve = seen_unseen_curve(logits)
    for offset in np.linspace(-15.0, 15.0, 41):
        place = int((curve.offsets < offset).sum())
        setting = InferenceConfig(unseen_offset=float(offset), ensemble=False)
        expected = gzsl_accuracies(logits, setting)
        assert float(curve.seen[place]) == pytest.approx(expected.seen, abs=1e-12)
        assert float(curve.unseen[place]) == pytest.approx(expected.unseen, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_curve_is_monotone_and_its_area_a_sum_of_steps(seed):
    curve = seen_unseen_curve(random_logits(seed, 40, 6))
    assert bool((curve.seen.diff() <= 0).all()) and bool((curve.unseen.diff() >= 0).all())
    assert curve.unseen[0] == 0.0 and curve.seen[-1] == 0.0
    steps = (curve.unseen.diff() * curve.seen[:-1]).sum()
    assert curve.area == pytest.approx(float(steps), abs=1e-12)
    assert 0.0 <= curve.area <= float(curve.seen[0] * curve.unseen[-1]) + 1e-12
