"""Budgets are parsed, metered over all attempts, and refused where they mean nothing."""

from pathlib import Path

import pytest

from drmn.errors import ConfigError, DataError
from orchestration.stopping.budget import Budget, Meter, parse_budget


class _Clock:
    """Seconds that pass only when told to."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("words", "budget"),
    [
        ([], Budget()),
        (["8h"], Budget(wall_h=8.0)),
        (["90m"], Budget(wall_h=1.5)),
        (["2d"], Budget(wall_h=48.0)),
        (["36s"], Budget(wall_h=0.01)),
        (["4gpu-h"], Budget(gpu_h=4.0)),
        (["0.5gpu-h", "1h"], Budget(wall_h=1.0, gpu_h=0.5)),
    ],
)
def test_words_become_hours(words: list[str], budget: Budget) -> None:
    assert parse_budget(words) == budget


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["8"], "`budget` is '8', but must be a number and s, m, h, d or gpu-h"),
        (["-1h"], "`budget` is '-1h'"),
        (["4 gpu-h"], "`budget` is '4 gpu-h'"),
        (["1h", "2d"], "given twice in one kind: 1h and 2d"),
        (["0h"], "must be > 0"),
    ],
)
def test_a_bad_word_is_named_with_its_rule(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_budget(words)


def test_the_limit_reached_first_is_told() -> None:
    budget = Budget(wall_h=2.0, gpu_h=1.0)
    assert budget.spent(1.9, 0.9) == ""
    assert budget.spent(2.0, 0.0) == "the budget of 2 h is spent"
    assert budget.spent(0.1, 1.0) == "the budget of 1 GPU-h is spent"
    assert Budget(wall_h=48.0).spent(50.0, 0.0) == "the budget of 2 d is spent"
    assert Budget(wall_h=0.001).spent(1.0, 0.0) == "the budget of 3.6 s is spent"


def test_the_meter_counts_what_was_reserved_and_all_attempts(tmp_path: Path) -> None:
    clock, file = _Clock(), tmp_path / "usage.json"
    meter = Meter(file, clock)
    clock.now_s += 3600
    meter.tick(0.5)
    clock.now_s += 3600
    meter.tick(0.0)
    meter.save()
    clock.now_s += 10 * 3600  # nobody drove it
    later = Meter(file, clock)
    clock.now_s += 1800
    later.tick(2.0)
    assert (later.wall_h, later.gpu_h) == pytest.approx((2.5, 1.5))


def test_a_crash_loses_no_more_than_the_last_seconds(tmp_path: Path) -> None:
    clock, file = _Clock(), tmp_path / "usage.json"
    meter = Meter(file, clock)
    for _ in range(100):
        clock.now_s += 0.5
        meter.tick(1.0)
    assert 50 - 3600 * Meter(file, clock).wall_h <= 5


def test_a_garbled_meter_is_named(tmp_path: Path) -> None:
    (tmp_path / "usage.json").write_text('{"wall_h": []}')
    with pytest.raises(DataError, match=r"usage\.json"):
        Meter(tmp_path / "usage.json")
