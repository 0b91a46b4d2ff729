"""Median stopping compares a trial's best with the others' averages."""

import random
from statistics import median

from orchestration.pruning.median import MedianStopping


def _rule(grace_period: int = 2, min_samples: int = 2) -> MedianStopping:
    return MedianStopping(grace_period=grace_period, min_samples=min_samples, max_epochs=4)


def _told(rule: MedianStopping, trial: str, *values: float) -> list[bool]:
    return [rule.goes_on(trial, epoch, value) for epoch, value in enumerate(values, start=1)]


def test_below_the_median_of_the_others_averages_is_stopped_after_the_grace_period() -> None:
    rule = _rule()
    _told(rule, "a", 0.2, 0.4)
    _told(rule, "b", 0.4, 0.6)
    assert _told(rule, "c", 0.1, 0.39) == [True, False]
    assert rule.stopped == {"c": 2}


def test_the_best_value_so_far_counts_and_equality_goes_on() -> None:
    rule = _rule()
    _told(rule, "a", 0.3, 0.3)
    _told(rule, "b", 0.3, 0.3)
    assert _told(rule, "c", 0.3, 0.0) == [True, True]


def test_too_few_rivals_stop_nobody() -> None:
    rule = _rule(min_samples=3)
    _told(rule, "a", 0.9, 0.9)
    _told(rule, "b", 0.9, 0.9)
    assert _told(rule, "c", 0.0, 0.0) == [True, True]


def test_rivals_that_have_not_come_so_far_do_not_count() -> None:
    rule = _rule(min_samples=1)
    _told(rule, "a", 0.9)
    assert _told(rule, "b", 0.0, 0.0) == [True, True]


def test_nobody_goes_beyond_the_last_epoch() -> None:
    rule = _rule()
    assert _told(rule, "a", 0.1, 0.1, 0.1, 0.1) == [True, True, True, False]
    assert rule.stopped == {}


def test_of_many_those_below_the_median_of_the_averages_are_stopped() -> None:
    draw, rule = random.Random(0), _rule()
    averages: list[float] = []
    for number in range(100):
        first, second = draw.random(), draw.random()
        is_behind = len(averages) >= 2 and max(first, second) < median(averages)
        assert _told(rule, str(number), first, second) == [True, not is_behind]
        averages.append((first + second) / 2)
