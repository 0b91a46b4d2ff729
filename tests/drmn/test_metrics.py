"""Accuracy per class, harmonic mean, and the dictionary that every evaluation reports."""

import math

import pytest
import torch

from drmn import names
from drmn.accuracy import class_accuracies, gzsl_accuracies, harmonic_mean, per_class_accuracy
from drmn.calibration import exact_beta
from drmn.config import InferenceConfig
from drmn.errors import DataError
from drmn.logits import Logits
from drmn.metrics import ausuc, score


def logits_of(
    o: list[list[float]], labels: list[int], g: list[list[float]] | None = None
) -> Logits:
    """Classes 0 and 1 are seen, 2 and 3 unseen."""
    return Logits(
        o=torch.tensor(o, dtype=torch.float32),
        g=None if g is None else torch.tensor(g, dtype=torch.float32),
        labels=torch.tensor(labels),
        seen=torch.tensor([True, True, False, False]),
    )


EXAMPLE = logits_of(
    [[9, 0, 0, 0], [0, 9, 0, 0], [9, 0, 0, 0], [0, 0, 9, 0], [9, 0, 3, 0], [0, 0, 5, 4]],
    labels=[0, 1, 1, 2, 2, 3],
)


def test_a_class_counts_once_however_many_images_it_has():
    labels = torch.tensor([0, 0, 0, 2])
    predictions = torch.tensor([0, 0, 1, 1])
    assert per_class_accuracy(predictions, labels) == pytest.approx((2 / 3 + 0.0) / 2)
    per_class = class_accuracies(predictions, labels, 4).tolist()
    assert per_class[0] == pytest.approx(2 / 3) and per_class[2] == 0.0
    assert math.isnan(per_class[1]) and math.isnan(per_class[3])


@pytest.mark.parametrize(
    ("unseen", "seen", "expected"), [(0.755, 0.781, 0.7678), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0)]
)
def test_harmonic_mean(unseen, seen, expected):
    assert harmonic_mean(unseen, seen) == pytest.approx(expected, abs=1e-4)


def test_a_worked_example():
    found = score(EXAMPLE, InferenceConfig())
    assert found[names.GZSL_SEEN] == pytest.approx((1.0 + 0.5) / 2)
    assert found[names.GZSL_UNSEEN] == pytest.approx((0.5 + 0.0) / 2)
    assert found[names.CZSL_TOP1] == pytest.approx((1.0 + 0.0) / 2)
    assert found[names.GZSL_HARMONIC] == pytest.approx(2 * 0.75 * 0.25 / 1.0)
    # offset < -9: U 0, S 3/4; from 6 on image 4 turns right, U 1/2; from 9 on S is 0
    assert found[names.GZSL_AUSUC] == pytest.approx(0.75 * 0.5)
    assert found[names.GZSL_AUSUC] == ausuc(EXAMPLE)


def test_score_names_every_metric_once():
    found = score(EXAMPLE, InferenceConfig())
    others = {names.GZSL_AUSUC, names.BETA_EXACT, names.GZSL_HARMONIC_AT_BETA_EXACT}
    assert set(found) == {*names.SCORES, *others}
    assert all(isinstance(value, float) and 0.0 <= value <= 1.0 for value in found.values())


def test_score_at_exact_beta_is_never_below_score_at_any_beta():
    random = torch.Generator().manual_seed(1)
    o, g = (torch.randn(60, 4, generator=random) for _ in range(2))
    logits = Logits(o=o, g=g, labels=torch.arange(60) % 4, seen=EXAMPLE.seen)
    for beta in (0.0, 0.3, 1.0):
        found = score(logits, InferenceConfig(beta=beta))
        best = found[names.GZSL_HARMONIC_AT_BETA_EXACT]
        assert best >= found[names.GZSL_HARMONIC]
        assert best == exact_beta(logits).harmonic
        assert (
            best == gzsl_accuracies(logits, InferenceConfig(beta=found[names.BETA_EXACT])).harmonic
        )


def test_an_empty_part_is_an_error_that_says_so():
    only_seen = logits_of([[9, 0, 0, 0]], labels=[0])
    with pytest.raises(DataError, match="0 images"):
        score(only_seen, InferenceConfig())
