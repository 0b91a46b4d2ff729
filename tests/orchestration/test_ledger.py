"""The sweep's own record gives the winner and every trial's fate."""

import json
from pathlib import Path

import pytest

from drmn.errors import DrmnError
from drmn.names import OBJECTIVE
from orchestration.events import Fate
from orchestration.ledger import Ledger


def _ledger(folder: Path) -> Ledger:
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.started("0000", {"inference.beta": 0.3})
    ledger.started("0001", {"inference.beta": 0.6})
    ledger.epoch_ended("0000", 1, {OBJECTIVE: 0.4, "pid": 1, "node_ip": "10.0.0.2", "since": 0})
    ledger.epoch_ended("0001", 1, {OBJECTIVE: 0.6})
    ledger.epoch_ended("0001", 2, {OBJECTIVE: 0.6})
    ledger.ended("0000", Fate.PRUNED, 1, "")
    ledger.ended("0001", Fate.COMPLETE, 2, "")
    return ledger


def test_the_winner_is_the_best_epoch_and_the_earliest_of_equals(tmp_path: Path) -> None:
    _ledger(tmp_path)
    winner = Ledger(tmp_path / "ledger.jsonl").winner(OBJECTIVE)
    assert (winner.trial, winner.epoch) == ("0001", 1)
    assert winner.overrides == {"inference.beta": 0.6}
    assert winner.metrics == {OBJECTIVE: 0.6}


def test_an_epoch_is_written_with_where_its_process_was_and_what_it_took_up(tmp_path: Path) -> None:
    _ledger(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    told = {"trial": "0000", "epoch": 1, "node_ip": "10.0.0.2", "since": 0}
    assert lines[2] == {**told, "metrics": {OBJECTIVE: 0.4}}


def test_fates(tmp_path: Path) -> None:
    assert _ledger(tmp_path).fates() == {"0000": Fate.PRUNED, "0001": Fate.COMPLETE}


def test_without_an_epoch_the_reasons_are_told(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.started("0000", {})
    ledger.ended("0000", Fate.FAILED, 0, "DivergenceError: loss is nan")
    with pytest.raises(DrmnError, match="loss is nan"):
        ledger.winner(OBJECTIVE)


def test_a_front_holds_what_nothing_beats_best_in_the_first_objective_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    points = {"0000": (0.4, 3.0), "0001": (0.6, 9.0), "0002": (0.6, 8.0), "0003": (0.5, 8.0)}
    for trial, (harmonic, epoch_s) in points.items():
        ledger.started(trial, {})
        ledger.epoch_ended(trial, 1, {OBJECTIVE: harmonic, "time/epoch_s": epoch_s})
    front = ledger.front(OBJECTIVE, "time/epoch_s")
    assert [each.trial for each in front] == ["0002", "0000"]
    assert ledger.winner(OBJECTIVE, "time/epoch_s") == front[0]


def test_the_winner_of_a_loss_has_the_lowest(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    for trial, loss in (("0000", 2.0), ("0001", 1.0)):
        ledger.started(trial, {})
        ledger.epoch_ended(trial, 1, {"loss/total": loss})
    assert ledger.winner("loss/total").trial == "0001"
