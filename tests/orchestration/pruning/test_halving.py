"""ASHA's rungs and Hyperband's brackets."""

import random

from orchestration.pruning.halving import Hyperband, SuccessiveHalving


def _rule(rungs: dict[int, dict[str, float]] | None = None) -> SuccessiveHalving:
    return SuccessiveHalving(grace_period=1, reduction_factor=2, max_epochs=8, rungs=rungs or {})


def test_rungs_are_powers_of_the_reduction_factor_below_the_last_epoch() -> None:
    assert _rule().milestones() == [1, 2, 4]
    rule = SuccessiveHalving(grace_period=2, reduction_factor=3, max_epochs=30)
    assert rule.milestones() == [2, 6, 18]


def test_a_first_trial_is_never_stopped_for_lack_of_rivals() -> None:
    rule = _rule()
    assert rule.goes_on("a", 1, 0.0)
    assert rule.goes_on("a", 2, 0.0)


def test_a_value_within_the_best_share_goes_on() -> None:
    rule = _rule({1: {"a": 0.9, "b": 0.5, "c": 0.1}})
    assert rule.goes_on("d", 1, 0.6)
    assert not rule.goes_on("e", 1, 0.55)


def test_replaying_a_report_changes_no_verdict() -> None:
    rule = _rule()
    assert rule.goes_on("a", 1, 0.3)
    assert rule.goes_on("b", 1, 0.5)
    assert rule.goes_on("a", 1, 0.3)
    assert not rule.goes_on("c", 1, 0.1)
    assert not rule.goes_on("c", 1, 0.1)
    assert rule.stopped == {"c": 1}


def test_a_rung_of_many_stops_what_is_below_its_best_share() -> None:
    draw, rule = random.Random(0), _rule({1: {"first": 0.5, "second": 0.25}})
    seen = [0.5, 0.25]
    for number in range(200):
        value = round(draw.random(), 2)  # equal values among them
        seen.append(value)
        cutoff = sorted(seen, reverse=True)[max(1, len(seen) // 2) - 1]
        assert rule.goes_on(str(number), 1, value) == (value >= cutoff)


def test_hyperbands_brackets_begin_at_each_rung_and_one_never_prunes() -> None:
    rule = Hyperband(grace_period=1, reduction_factor=3, max_epochs=9)
    assert [bracket.milestones() for bracket in rule.brackets] == [[1, 3], [3], []]
    assert [rule.bracket(f"{number:04d}") for number in range(7)] == [0, 1, 0, 2, 1, 0, 0]


def test_trials_of_one_bracket_are_no_rivals_of_anothers() -> None:
    rule = Hyperband(grace_period=1, reduction_factor=3, max_epochs=9)
    assert rule.goes_on("0000", 1, 0.9)
    assert rule.goes_on("0001", 1, 0.1)
    assert rule.goes_on("0001", 3, 0.1)
    assert not rule.goes_on("0002", 1, 0.1)
    assert rule.stopped == {"0002": 1}
