"""Final runs seed by seed: what has a result is never run again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drmn.config import Config
from drmn.errors import DrmnError
from drmn.names import GZSL_HARMONIC
from drmn.presets import sprites
from orchestration.final import PAPER, WINNER, Contender, FinalResult
from orchestration.final_runs import FinalRuns
from orchestration.request import Resources
from orchestration.trainable import TrialContext

CONTENDERS = [
    Contender(name=name, config=sprites(), num_seeds=num) for name, num in ((WINNER, 3), (PAPER, 2))
]
ALL = [(WINNER, 0), (WINNER, 1), (WINNER, 2), (PAPER, 0), (PAPER, 1)]


@dataclass(frozen=True, kw_only=True)
class Rehearsal(FinalRuns):
    """Instead of Ray: every run scores its seed, but for those in ``broken``."""

    broken: set[tuple[str, int]] = field(default_factory=set)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def _results(self, jobs: Sequence[tuple[Contender, int]]) -> Iterator[Any]:
        for contender, seed in jobs:
            self.asked.append((contender.name, seed))
            if (contender.name, seed) in self.broken:
                yield (contender, seed), "the loss is NaN"
                continue
            scores = {GZSL_HARMONIC: seed / 10}
            yield (contender, seed), FinalResult(scores=scores, history=[], files={})


def _never(config: Config) -> TrialContext:
    raise AssertionError(config)


def _rehearsal(folder: Path, **changes: Any) -> Rehearsal:
    return Rehearsal(folder=folder, context=_never, resources=Resources(), **changes)


def test_every_seed_of_every_contender_is_run_once_and_told(tmp_path: Path) -> None:
    runs, told = _rehearsal(tmp_path), []
    winner, paper = runs.run(CONTENDERS, lambda *each: told.append((each[0].name, each[1])))
    assert runs.asked == told == ALL
    assert winner.means() == {GZSL_HARMONIC: pytest.approx(0.1)}
    assert list(paper.results) == [0, 1]


def test_what_has_a_result_is_not_run_again(tmp_path: Path) -> None:
    first = _rehearsal(tmp_path).run(CONTENDERS, lambda *_: None)
    again = _rehearsal(tmp_path)
    assert again.run(CONTENDERS, lambda *_: pytest.fail("told")) == first
    assert again.asked == []


def test_a_failed_seed_is_named_when_the_others_are_kept(tmp_path: Path) -> None:
    broken = _rehearsal(tmp_path, broken={(WINNER, 1)})
    with pytest.raises(DrmnError, match="1 of 5 final runs failed: winner, seed 1: the loss is"):
        broken.run(CONTENDERS, lambda *_: None)
    mended = _rehearsal(tmp_path)
    assert len(mended.run(CONTENDERS, lambda *_: None)[0].results) == 3
    assert mended.asked == [(WINNER, 1)]
