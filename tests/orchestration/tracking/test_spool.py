"""The spool's file: whole lines only, in order, wherever a crash cuts it."""

import os
import threading
import time
from pathlib import Path

import pytest

from orchestration.tracking import TrackingError
from orchestration.tracking.lane import Lane, Pace
from orchestration.tracking.spool import Spool

EVENTS = [{"run": "a", "value": value} for value in range(5)]


def _filled(folder: Path, **options) -> Spool:
    spool = Spool(folder, "events", **options)
    for event in EVENTS:
        spool.append(event)
    return spool


def test_events_come_back_in_order_until_they_are_acknowledged(tmp_path: Path) -> None:
    spool = _filled(tmp_path)
    assert spool.read().events == EVENTS
    assert spool.read().events == EVENTS
    spool.acknowledge(spool.read())
    assert spool.read().events == []
    assert (spool.num_left, spool.bytes_left) == (0, 0)
    assert (tmp_path / "events.jsonl").stat().st_size == 0


def test_what_is_appended_while_a_window_is_delivered_is_next(tmp_path: Path) -> None:
    spool = _filled(tmp_path)
    window = spool.read()
    spool.append({"run": "b"})
    spool.acknowledge(window)
    spool.close()
    again = Spool(tmp_path, "events")
    assert again.read().events == [{"run": "b"}]
    assert again.num_left == 1


def test_a_file_cut_at_any_byte_loses_the_cut_line_alone(tmp_path: Path) -> None:
    _filled(tmp_path).close()
    file = tmp_path / "events.jsonl"
    content = file.read_bytes()
    for length in range(len(content) + 1):
        file.write_bytes(content[:length])
        spool = Spool(tmp_path, "events")
        num_whole = content[:length].count(b"\n")
        assert spool.read().events == EVENTS[:num_whole]
        spool.append({"run": "next"})
        assert spool.read().events == [*EVENTS[:num_whole], {"run": "next"}]
        spool.close()


def test_a_crash_between_emptying_and_noting_it_loses_nothing(tmp_path: Path) -> None:
    spool = _filled(tmp_path)
    spool.acknowledge(spool.read())
    for event in EVENTS[:2]:
        spool.append(event)
    spool.close()
    (tmp_path / "events.offset").write_text(f"{10**6:020d}\n")
    assert Spool(tmp_path, "events").read().events == EVENTS[:2]


@pytest.mark.parametrize("offset", ["", "garbage", "00000"])
def test_a_damaged_offset_delivers_all_again(tmp_path: Path, offset: str) -> None:
    _filled(tmp_path).close()
    (tmp_path / "events.offset").write_text(offset)
    assert Spool(tmp_path, "events").read().events == EVENTS


def test_a_line_longer_than_a_window_is_read_whole(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "events")
    long = {"run": "a", "text": "x" * 3_000_000}
    spool.append(long)
    spool.append({"run": "b"})
    assert spool.read().events[0] == long


def test_a_damaged_line_becomes_an_event_that_will_be_refused(tmp_path: Path) -> None:
    _filled(tmp_path).close()
    file = tmp_path / "events.jsonl"
    file.write_bytes(file.read_bytes().replace(b'{"run":"a","value":2}', b"{garbage"))
    kinds = [event.get("kind") for event in Spool(tmp_path, "events").read().events]
    assert kinds == [None, None, "damaged", None, None]


def test_a_full_spool_delays_but_neither_blocks_nor_drops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, "events", max_bytes=50, max_wait_s=0.05)
    started = time.monotonic()
    for event in EVENTS:
        spool.append(event)
    taken_s = time.monotonic() - started
    assert 0.1 < taken_s < 1.0  # two fit; three waited
    assert spool.read().events == EVENTS
    assert len(caplog.records) == 1


def test_room_that_is_made_ends_the_delay(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "events", max_bytes=50, max_wait_s=30.0)
    spool.append(EVENTS[0])
    spool.append(EVENTS[1])
    window = spool.read()
    threading.Timer(0.05, spool.acknowledge, [window]).start()
    started = time.monotonic()
    spool.append(EVENTS[2])
    assert time.monotonic() - started < 10
    assert spool.read().events == [EVENTS[2]]


def test_a_disk_that_takes_no_more_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = _filled(tmp_path)
    monkeypatch.setattr("os.write", lambda _file, line: len(line) - 1)
    with pytest.raises(TrackingError, match="no space is left"):
        spool.append({"run": "lost"})
    monkeypatch.undo()
    assert spool.read().events == EVENTS


def test_an_old_offset_never_counts_again_once_there_is_as_much_as_before(tmp_path: Path) -> None:
    _filled(tmp_path).close()
    size = (tmp_path / "events.jsonl").stat().st_size
    (tmp_path / "events.jsonl").write_bytes(b"")
    (tmp_path / "events.offset").write_text(f"{size:020d}\n")  # died after emptying the spool
    _filled(tmp_path).close()  # and again before anything was delivered
    assert Spool(tmp_path, "events").read().events == EVENTS


def test_an_offset_within_a_line_delivers_all_again(tmp_path: Path) -> None:
    _filled(tmp_path).close()
    (tmp_path / "events.offset").write_text(f"{7:020d}\n")
    assert Spool(tmp_path, "events").read().events == EVENTS


def test_an_event_that_cannot_be_synced_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_file: int) -> None:
        raise OSError(5, "Input/output error")

    spool = _filled(tmp_path)
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(TrackingError, match="Input/output error"):
        spool.append({"run": "lost"}, durable=True)
    monkeypatch.undo()
    spool.append({"run": "next"})
    assert spool.read().events == [*EVENTS, {"run": "next"}]


def test_a_delivery_that_cannot_be_noted_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([OSError(28, "No space left on device")])
    real = os.pwrite

    def pwrite(file: int, data: bytes, at: int) -> int:
        for failure in failures:
            raise failure
        return real(file, data, at)

    spool, taken = _filled(tmp_path), []
    monkeypatch.setattr("os.pwrite", pwrite)
    lane = Lane(spool, taken.append, Pace(gather_s=0.0, first_retry_s=0.01), "test")
    assert spool.wait_empty(5)
    assert lane.stop(5)
    assert taken == [EVENTS, EVENTS]
