"""Expected pruning, against what can be counted by hand."""

import pytest

from orchestration.planning.expectation import expect
from orchestration.pruning.choice import build_rule
from orchestration.pruning.halving import SuccessiveHalving
from orchestration.pruning.rule import NoPruning
from orchestration.pruning_rule import Pruner, PruningRule


@pytest.mark.parametrize(
    ("num_trials", "concurrency", "span"), [(6, 1, 24), (6, 4, 8), (6, 6, 4), (2, 5, 4)]
)
def test_without_pruning_every_trial_trains_every_epoch(
    num_trials: int, concurrency: int, span: int
) -> None:
    found = expect(lambda: NoPruning(max_epochs=4), num_trials=num_trials, concurrency=concurrency)
    assert (found.epochs, found.spread) == (4 * num_trials, 0)
    assert found.passed == (num_trials,) * 4
    assert found.rungs(num_trials) == []
    assert found.span == pytest.approx(span, rel=2e-3)


@pytest.mark.parametrize("factor", [2, 3])
def test_one_after_the_other_the_first_rung_keeps_what_its_rule_says(factor: int) -> None:
    """The k-th arrival is among the best max(1, k // factor) of k with that chance."""
    num_trials = 20
    found = expect(
        lambda: SuccessiveHalving(grace_period=1, reduction_factor=factor, max_epochs=2),
        num_trials=num_trials,
        concurrency=1,
    )
    expected = sum(max(1, k // factor) / k for k in range(1, num_trials + 1))
    assert found.passed[0] == pytest.approx(expected, abs=0.6)  # six standard errors
    assert found.epochs == pytest.approx(num_trials + found.passed[0])
    assert found.rungs(num_trials) == [(1, found.passed[0])]


@pytest.mark.parametrize("pruner", [Pruner.ASHA, Pruner.HYPERBAND, Pruner.MEDIAN])
def test_each_pruner_saves_epochs_and_says_the_same_again(pruner: Pruner) -> None:
    settings = PruningRule(pruner=pruner, grace_period=1)
    first, second = (
        expect(lambda: build_rule(settings, 9), num_trials=16, concurrency=2) for _ in range(2)
    )
    assert first == second
    assert 16 < first.epochs < 16 * 9
    assert first.spread > 0
    assert list(first.passed) == sorted(first.passed, reverse=True)
    assert first.span < 8 * 9


def test_a_long_sweep_is_still_planned_at_once() -> None:
    settings = PruningRule(pruner=Pruner.ASHA)
    found = expect(lambda: build_rule(settings, 30), num_trials=1000, concurrency=16)
    assert 2000 < found.epochs < 30_000
