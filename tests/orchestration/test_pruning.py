"""ASHA's decisions on scripted learning curves: no training, no Ray."""

import json
from pathlib import Path

import pytest

from drmn.errors import DataError
from orchestration.pruning import AshaScheduler, SuccessiveHalving

CURVES = {
    f"{index:04d}": [slope * epoch for epoch in range(1, 9)]
    for index, slope in enumerate([0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.8, 0.4])
}


def _rule(rungs: dict[int, dict[str, float]] | None = None) -> SuccessiveHalving:
    return SuccessiveHalving(grace_period=1, reduction_factor=2, max_epochs=8, rungs=rungs or {})


def _play(rule: SuccessiveHalving, events: list[tuple[str, int]]) -> dict[str, int]:
    """Epoch at which each stopped trial was stopped; later events of it are dropped."""
    stopped: dict[str, int] = {}
    for trial, epoch in events:
        if trial in stopped:
            continue
        if not rule.goes_on(trial, epoch, CURVES[trial][epoch - 1]):
            stopped[trial] = epoch
    return stopped


def _interleaved() -> list[tuple[str, int]]:
    """Two trials at a time, epoch by epoch."""
    names = sorted(CURVES)
    return [
        (name, epoch)
        for first in range(0, len(names), 2)
        for epoch in range(1, 9)
        for name in names[first : first + 2]
    ]


def test_rungs_are_powers_of_the_reduction_factor_below_the_last_epoch() -> None:
    assert _rule().milestones() == [1, 2, 4]
    rule = SuccessiveHalving(grace_period=2, reduction_factor=3, max_epochs=30)
    assert rule.milestones() == [2, 6, 18]


def test_the_best_trial_reaches_the_last_epoch_and_bad_ones_stop_early() -> None:
    stopped = _play(_rule(), _interleaved())
    assert stopped["0002"] == 8
    assert stopped["0001"] == 1
    assert stopped["0005"] == 1


def test_a_first_trial_is_never_stopped_for_lack_of_rivals() -> None:
    rule = _rule()
    assert rule.goes_on("a", 1, 0.0)
    assert rule.goes_on("a", 2, 0.0)


def test_a_value_within_the_best_share_goes_on() -> None:
    rule = _rule({1: {"a": 0.9, "b": 0.5, "c": 0.1}})
    assert rule.goes_on("d", 1, 0.6)
    assert not rule.goes_on("e", 1, 0.55)


@pytest.mark.parametrize("kill_point", range(0, 64, 3))
def test_killed_and_resumed_equals_never_interrupted(kill_point: int) -> None:
    """The state survives as JSON; events since the last checkpoint are replayed after a restart."""
    events = _interleaved()
    expected = _play(_rule(), events)
    before = _rule()
    stopped = _play(before, events[:kill_point])
    after = _rule({int(k): v for k, v in json.loads(json.dumps(before.rungs)).items()})
    after.stopped = json.loads(json.dumps(before.stopped))
    replayed = events[max(0, kill_point - 4) :]
    later = _play(after, [event for event in replayed if event[0] not in stopped])
    assert {**stopped, **later} == expected


def test_scheduler_reads_back_what_it_wrote(tmp_path: Path) -> None:
    state = tmp_path / "asha.json"
    state.write_text(json.dumps({"rungs": {"1": {"0000": 0.5}}, "stopped": {"0001": 1}}))
    scheduler = AshaScheduler(_rule(), "val/gzsl_harmonic", state)
    assert scheduler.rule.rungs == {1: {"0000": 0.5}}
    assert scheduler.rule.stopped == {"0001": 1}


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"rungs": {}}', '{"rungs": {"1": 3}, "stopped": {}}']
)
def test_garbled_state_is_a_data_error_naming_the_file(tmp_path: Path, content: str) -> None:
    state = tmp_path / "asha.json"
    state.write_text(content)
    with pytest.raises(DataError, match=r"asha\.json"):
        AshaScheduler(_rule(), "val/gzsl_harmonic", state)


def test_replaying_a_report_changes_no_verdict() -> None:
    rule = _rule()
    assert rule.goes_on("a", 1, 0.3)
    assert rule.goes_on("b", 1, 0.5)
    assert rule.goes_on("a", 1, 0.3)
    assert not rule.goes_on("c", 1, 0.1)
    assert not rule.goes_on("c", 1, 0.1)
    assert rule.stopped == {"c": 1}
