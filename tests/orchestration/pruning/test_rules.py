"""Edges of the rules and of their settings: the last epoch, smallest values, exact messages."""

from pathlib import Path

import pytest

from drmn.errors import ConfigError, DataError
from orchestration.pruning.choice import build_rule
from orchestration.pruning.halving import Hyperband, SuccessiveHalving
from orchestration.pruning.journal import Journal
from orchestration.pruning.median import MedianStopping
from orchestration.pruning.moving import perturbed
from orchestration.pruning.population import FACTORS, Move, PopulationBased
from orchestration.pruning.rule import NoPruning
from orchestration.pruning_rule import Pruner, PruningRule
from search_spaces.domain import Uniform


@pytest.mark.parametrize("pruner", Pruner)
def test_the_last_epoch_ends_every_trial_and_the_one_before_does_not(
    pruner: Pruner, tmp_path: Path
) -> None:
    rule = build_rule(PruningRule(pruner=pruner), 4)
    assert [rule.goes_on("0000", epoch, 0.5) for epoch in (3, 4, 5)] == [True, False, False]
    journal = Journal(build_rule(PruningRule(pruner=pruner), 4), tmp_path / "a" / "b" / "j")
    assert [journal.goes_on("0000", epoch, 0.5) for epoch in (3, 4, 5)] == [True, False, False]
    assert (tmp_path / "a" / "b" / "j").read_text() == '["0000", 3, 0.5]\n'


def test_without_pruning_the_last_epoch_is_the_end() -> None:
    rule = NoPruning(max_epochs=2)
    assert [rule.goes_on("0000", epoch, 0.0) for epoch in (1, 2)] == [True, False]


def test_a_rule_is_told_a_report_once_by_its_journal(tmp_path: Path) -> None:
    told: list[tuple[str, int, float]] = []

    class Told(NoPruning):
        def goes_on(self, trial: str, epoch: int, value: float) -> bool:
            told.append((trial, epoch, value))
            return True

    journal = Journal(Told(max_epochs=4), tmp_path / "j")
    for _ in range(2):
        assert journal.goes_on("0000", 1, 0.5)
    again = Journal(Told(max_epochs=4), tmp_path / "j")
    assert again.goes_on("0000", 1, 0.5)
    assert told == [("0000", 1, 0.5)] * 2
    assert (tmp_path / "j").read_text().count("\n") == 1


def test_a_whole_journal_is_left_as_it_is_and_a_garbled_one_is_said_how_to_mend(
    tmp_path: Path,
) -> None:
    file = tmp_path / "j"
    file.write_text('["0000", 1, 0.5]\n')
    file.chmod(0o444)
    before = file.stat().st_mtime_ns
    Journal(NoPruning(max_epochs=4), file)
    assert file.stat().st_mtime_ns == before
    file.chmod(0o644)
    file.write_text("[]\n")
    with pytest.raises(DataError) as caught:
        Journal(NoPruning(max_epochs=4), file)
    assert caught.value.remedy == (
        "remove the file to forget them: trials of a resumed sweep are then compared anew"
    )


def test_between_rungs_nobody_is_noted() -> None:
    rule = SuccessiveHalving(grace_period=2, reduction_factor=2, max_epochs=8)
    assert rule.goes_on("a", 3, 0.9)
    assert rule.goes_on("b", 3, 0.1)
    assert rule.rungs == {}
    assert rule.stopped == {}


def test_rungs_are_ranked_apart() -> None:
    rule = SuccessiveHalving(grace_period=1, reduction_factor=2, max_epochs=8)
    assert rule.goes_on("a", 1, 0.9)
    assert rule.goes_on("a", 2, 0.1)
    assert rule.goes_on("b", 2, 0.5)


@pytest.mark.parametrize(
    ("grace_period", "reduction_factor", "max_epochs", "expected"),
    [
        (1, 2, 8, [0, 1, 2, 3, 0, 1, 0, 1, 2, 3]),
        (1, 3, 27, [0, 1, 0, 2, 0, 0, 1, 3, 0, 2]),
        (1, 4, 64, [0, 1, 0, 0, 0, 1, 2, 0, 0, 0]),
        (8, 2, 8, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_trials_are_dealt_to_hyperbands_brackets_in_a_fixed_round(
    grace_period: int, reduction_factor: int, max_epochs: int, expected: list[int]
) -> None:
    rule = Hyperband(
        grace_period=grace_period, reduction_factor=reduction_factor, max_epochs=max_epochs
    )
    assert [rule.bracket(str(number)) for number in range(10)] == expected


def test_a_repeated_report_goes_on_and_the_median_of_many_is_their_middle() -> None:
    rule = MedianStopping(grace_period=1, min_samples=1, max_epochs=4)
    for trial, value in (("a", 0.1), ("b", 0.3), ("c", 0.5)):
        assert rule.goes_on(trial, 1, value)
    assert rule.goes_on("c", 1, 0.0)
    assert not rule.goes_on("d", 1, 0.29)  # the middle of three is 0.3
    assert rule.goes_on("e", 1, 0.295)  # between 0.29 and 0.3, the middle two of four
    assert rule.stopped == {"d": 1}


def test_a_name_without_its_room_is_the_last_part_of_the_path() -> None:
    space = {"a.b.weight": Uniform(low=0.0, high=1.0)}
    move = Move(donor="0", factors={"a.b.weight": 0.5, "a.other": 2.0})
    assert perturbed(space, {"weight": 1.0}, move) == {"weight": 0.5}


def test_draws_follow_from_seed_trial_epoch_and_what_is_drawn() -> None:
    rule = PopulationBased(interval=1, max_epochs=9, seed=7)
    asked = [("0001", 2, "donor"), ("0001", 3, "donor"), ("0002", 2, "donor"), ("0001", 2, "x")]
    drawn = [rule._draw(*each) for each in asked]
    assert len(set(drawn)) == 4
    assert [number % 1000 for number in drawn] == [265, 145, 557, 603]
    assert FACTORS == (0.8, 1.2)


def test_the_seed_of_a_rule_is_0_unless_it_is_given() -> None:
    settings = PruningRule(pruner=Pruner.PBT)
    seeds = [getattr(build_rule(settings, 4, *given), "seed", None) for given in ((), (3,))]
    assert seeds == [0, 3]


def test_the_smallest_settings_are_taken_and_smaller_ones_named() -> None:
    smallest = {"grace_period": 1, "reduction_factor": 2, "min_samples": 1}
    assert PruningRule(**smallest).pruner is Pruner.ASHA  # type: ignore[arg-type]
    assert PruningRule(pruner="median").pruner is Pruner.MEDIAN  # type: ignore[arg-type]
    for name, low in smallest.items():
        with pytest.raises(ConfigError) as caught:
            PruningRule(**{name: low - 1})  # type: ignore[arg-type]
        expected = f"the value of `{name}` is {low - 1}, but must be >= {low}"
        assert caught.value.message == expected
    with pytest.raises(ConfigError) as caught:
        PruningRule(pruner="grid")  # type: ignore[arg-type]
    assert caught.value.message == (
        "the value of `pruner` is 'grid', but must be one of asha, hyperband, median, pbt, none"
    )
