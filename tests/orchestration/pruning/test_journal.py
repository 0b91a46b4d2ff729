"""Every rule, killed after each report and resumed, stops the trials it would have stopped.

Scripted learning curves: no training, no Ray.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drmn.errors import DataError
from orchestration.pruning.choice import build_rule
from orchestration.pruning.journal import Journal
from orchestration.pruning_rule import Pruner, PruningRule

EPOCHS = 8
NUM_TRIALS = 10
SPEEDS = [0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6, 0.05]
SETTINGS = {pruner: PruningRule(pruner=pruner, grace_period=1, min_samples=2) for pruner in Pruner}


def _value(trial: int, epoch: int) -> float:
    """Curves that cross: quick ones end lower."""
    speed = SPEEDS[trial]
    return (1.2 - 0.5 * speed) * (1 - math.exp(-speed * epoch))


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only processes are killed here, not machines."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


class _Driver:
    """Three trials at a time, an epoch each in turn, as Tune would; dies after ``lifetime``."""

    def __init__(self, pruner: Pruner, file: Path, lifetime: int) -> None:
        self._journal = Journal(build_rule(SETTINGS[pruner], EPOCHS), file)
        self._left = lifetime

    def run(self, done: dict[int, int], ended: set[int]) -> bool:
        """Go on from epochs ``done``; whether all ended. A dead driver's last epoch is repeated."""
        while running := [t for t in range(NUM_TRIALS) if t not in ended][:3]:
            for trial in sorted(running, key=lambda t: (done.get(t, 0) - _start(t), t))[:1]:
                if not self._left:
                    return False
                self._left -= 1
                epoch = done.get(trial, 0) + 1
                goes_on = self._journal.goes_on(f"{trial:04d}", epoch, _value(trial, epoch))
                if not self._left:
                    return False  # killed with the report written down and not yet acted upon
                done[trial] = epoch
                if not goes_on:
                    ended.add(trial)
        return True

    @property
    def stopped(self) -> dict[str, int]:
        return self._journal.rule.stopped


def _start(trial: int) -> int:
    return trial % 2


def _undisturbed(pruner: Pruner, folder: Path) -> tuple[dict[str, int], int]:
    driver = _Driver(pruner, folder / "undisturbed.jsonl", 10**6)
    driver.run({}, set())
    num_reports = len((folder / "undisturbed.jsonl").read_text().splitlines())
    return driver.stopped, num_reports


def _lives(num_reports: int) -> Iterator[tuple[int, ...]]:
    """Killed once after each report, and killed again and again."""
    yield from ((after,) for after in range(1, num_reports + 1))
    yield tuple([2] * (2 * num_reports))


@pytest.mark.parametrize("pruner", Pruner)
def test_killed_anywhere_and_resumed_equals_never_interrupted(
    pruner: Pruner, tmp_path: Path
) -> None:
    expected, num_reports = _undisturbed(pruner, tmp_path)
    for number, lives in enumerate(_lives(num_reports)):
        file, done, ended = tmp_path / f"{number}.jsonl", {}, set()
        for lifetime in lives:
            _Driver(pruner, file, lifetime).run(done, ended)
            ended |= {
                int(t) for t in Journal(build_rule(SETTINGS[pruner], EPOCHS), file).rule.stopped
            }
        last = _Driver(pruner, file, 10**6)
        assert last.run(done, ended)
        assert last.stopped == expected, lives


def test_the_curves_tell_the_rules_apart(tmp_path: Path) -> None:
    stopped = {pruner: _undisturbed(pruner, tmp_path / pruner)[0] for pruner in Pruner}
    assert stopped[Pruner.NONE] == {}
    assert stopped.pop(Pruner.PBT) == {}
    assert len({tuple(sorted(found.items())) for found in stopped.values()}) == len(stopped)


def test_a_line_without_end_is_cut_off_and_the_report_taken_again(tmp_path: Path) -> None:
    file = tmp_path / "pruning.jsonl"
    file.write_text('["0000", 1, 0.5]\n["0001", 1, 0.')
    journal = Journal(build_rule(SETTINGS[Pruner.ASHA], EPOCHS), file)
    assert not journal.goes_on("0001", 1, 0.4)
    assert file.read_text() == '["0000", 1, 0.5]\n["0001", 1, 0.4]\n'


@pytest.mark.parametrize("content", ["{\n", "[1]\n", '{"rungs": {}}\n', '["0000", "one", 0.5]\n'])
def test_a_garbled_journal_is_a_data_error_naming_the_file(tmp_path: Path, content: str) -> None:
    file = tmp_path / "pruning.jsonl"
    file.write_text(content)
    with pytest.raises(DataError, match=r"pruning\.jsonl"):
        Journal(build_rule(SETTINGS[Pruner.ASHA], EPOCHS), file)
