"""A state of Tune's in which nothing runs any more, though it says so."""

import json
from pathlib import Path

import pytest

from orchestration.repair.tune_state import TuneStates


def _state(folder: Path, *statuses: str, name: str = "experiment_state-2026-01-02.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    trials = [
        [json.dumps({"relative_logdir": f"trial_{i:04d}", "status": status}), json.dumps({"n": i})]
        for i, status in enumerate(statuses)
    ]
    file = folder / name
    file.write_text(json.dumps({"trial_data": trials, "runner_data": {"kept": 1}}))
    return file


def test_what_runs_no_more_is_named_and_mended_once(tmp_path: Path) -> None:
    _state(tmp_path / "s-1", "TERMINATED", "ERROR")
    file = _state(tmp_path / "s-2", "TERMINATED", "RUNNING", "PENDING")
    _state(tmp_path / "s-2", "RUNNING", name="experiment_state-2026-01-01.json")
    found = TuneStates(str(tmp_path), "s", 3).differences()
    assert [(each.subject, each.book, each.has) for each in found] == [
        ("trial 0001", "Tune, s-2", "RUNNING"),
        ("trial 0002", "Tune, s-2", "PENDING"),
    ]
    TuneStates(str(tmp_path), "s", 3).mend()
    assert TuneStates(str(tmp_path), "s", 3).differences() == []
    content = json.loads(file.read_text())
    assert content["runner_data"] == {"kept": 1}
    assert [json.loads(metadata) for _, metadata in content["trial_data"]] == [
        {"n": 0}, {"n": 1}, {"n": 2},
    ]  # fmt: skip


@pytest.mark.parametrize("left", ["", "[]", '{"trial_data": [["{'])
def test_a_state_that_a_death_cut_short_is_named_and_removed(tmp_path: Path, left: str) -> None:
    _state(tmp_path / "s-1").write_text(left)
    states = TuneStates(str(tmp_path), "s", 1)
    assert [each.has for each in states.differences()] == ["damaged"]
    states.mend()
    assert states.differences() == TuneStates(str(tmp_path), "s", 1).differences() == []
