"""What is spooled arrives in order and once, wherever the process dies."""

from pathlib import Path
from typing import Any

import pytest
from run_store import Killed, MemoryStore

from orchestration.tracking import OutageError
from orchestration.tracking.delivery import Delivery, Upload
from orchestration.tracking.spool import Spool

NUM_EPOCHS = 4


def _event(kind: str, run: str, **content: Any) -> dict[str, Any]:
    return {"kind": kind, "run": run, "time_ms": 7, **content}


def _sweep() -> list[dict[str, Any]]:
    """A sweep, two trials at once, the sweep's end."""
    events = [_event("open", "s", name="sweep", tags={"a": "b"}, parent="")]
    events.append(_event("dataset", "s", fields={"name": "sprites"}, context="search"))
    for trial in ("s/0", "s/1"):
        events.append(_event("open", trial, name=trial, tags={}, parent="s"))
        events.append(_event("params", trial, values={"lr": "1", "trial": trial}))
    for epoch in range(1, NUM_EPOCHS + 1):
        for trial in ("s/0", "s/1"):
            values = {"loss": 1 / epoch, "acc": epoch / 10}
            events.append(_event("metrics", trial, step=epoch, values=values))
    events += [_event("close", "s/0", status="FINISHED"), _event("close", "s/1", status="KILLED")]
    events.append(_event("tags", "s", values={"note": "done"}))
    return [*events, _event("close", "s", status="FINISHED")]


def _unrefused(event: Any, reason: str) -> None:
    pytest.fail(f"{reason}: {event}")


def _check(store: MemoryStore) -> None:
    assert {key: run.status for key, run in store.runs.items()} == {
        "s": "FINISHED",
        "s/0": "FINISHED",
        "s/1": "KILLED",
    }
    assert store.runs["s"].tags == {"a": "b", "note": "done"}
    for trial in ("s/0", "s/1"):
        run = store.runs[trial]
        assert run.parent == "s"
        assert run.params == {"lr": "1", "trial": trial}
        expected = [
            (name, epoch, value)
            for epoch in range(1, NUM_EPOCHS + 1)
            for name, value in (("loss", 1 / epoch), ("acc", epoch / 10))
        ]
        assert run.points == expected


def _spooled(folder: Path) -> Spool:
    spool = Spool(folder, "events")
    for event in _sweep():
        spool.append(event)
    return spool


def test_epochs_of_a_run_share_a_request(tmp_path: Path) -> None:
    store = MemoryStore()
    Delivery(store, _unrefused)(_spooled(tmp_path).read().events)
    _check(store)
    assert store.num_requests == 3 + 1 + 1 + 2 + 3  # create, data set, tags, trials' logs, close


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("window", [1, 300, 10_000], ids=["by line", "by a few", "at once"])
def test_death_at_any_request_doubles_and_loses_nothing(
    tmp_path: Path, is_done: bool, window: int
) -> None:
    num_requests = 30
    for fatal in range(1, num_requests + 1):

        def interrupt(number: int, done: bool, fatal: int = fatal) -> None:
            if (number, done) == (fatal, is_done):
                raise Killed

        store = MemoryStore(interrupt)
        folder = tmp_path / f"{fatal}"
        _spooled(folder).close()
        for _ in range(2):
            try:
                _deliver(store, folder, window)
            except Killed:
                continue
        _check(store)


def _deliver(store: MemoryStore, folder: Path, max_bytes: int) -> None:
    """A process's life."""
    spool, delivery = Spool(folder, "events"), Delivery(store, _unrefused)
    try:
        while spool.num_left:
            window = spool.read(max_bytes)
            delivery(window.events)
            spool.acknowledge(window)
    finally:
        spool.close()


def test_an_outage_repeats_the_window_without_doubling(tmp_path: Path) -> None:
    def interrupt(number: int, done: bool) -> None:
        if number in (1, 2, 3, 7, 12) and done:
            raise OutageError("the answer was lost")

    store = MemoryStore(interrupt)
    spool, delivery = _spooled(tmp_path), Delivery(store, _unrefused)
    num_outages = 0
    while spool.num_left:
        try:
            window = spool.read()
            delivery(window.events)
            spool.acknowledge(window)
        except OutageError:
            num_outages += 1
    assert num_outages == 5
    _check(store)


def test_a_run_whose_creation_went_unanswered_is_looked_for_again_at_its_end() -> None:
    def interrupt(number: int, done: bool) -> None:
        if (number, done) == (1, False):
            raise OutageError("the answer did not come in time")

    store = MemoryStore(interrupt)
    delivery = Delivery(store, _unrefused)
    events = [_event("open", "r", name="r", tags={}, parent="")]
    events.append(_event("close", "r", status="FINISHED"))
    with pytest.raises(OutageError):
        delivery(events)
    delivery(events)
    assert store.looked_up == ["r", "r", "r"]
    assert store.runs["r"].status == "FINISHED"


def test_a_refused_event_takes_no_other_with_it() -> None:
    store, refused = MemoryStore(), []
    delivery = Delivery(store, lambda event, reason: refused.append((event["values"], reason)))
    delivery([_event("open", "r", name="r", tags={}, parent="")])
    delivery([_event("params", "r", values={"lr": "1"})])
    delivery(
        [
            _event("metrics", "r", step=1, values={"loss": 1.0}),
            _event("params", "r", values={"lr": "2"}),
            _event("metrics", "r", step=2, values={"loss": 0.5}),
        ]
    )
    assert store.runs["r"].points == [("loss", 1, 1.0), ("loss", 2, 0.5)]
    assert refused == [({"lr": "2"}, "changing 'lr' is not allowed")]


def test_events_of_a_run_that_was_never_opened_are_refused() -> None:
    refused: list[str] = []
    delivery = Delivery(MemoryStore(), lambda _event, reason: refused.append(reason))
    delivery([_event("metrics", "x", step=1, values={"loss": 1.0}), _event("what", "x")])
    assert refused == ["MLflow has no run with the key 'x'", "an event of the unknown kind 'what'"]


def test_batches_keep_to_mlflows_limits() -> None:
    store = MemoryStore()
    wide = {f"metric {number}": 0.5 for number in range(300)}
    events = [_event("open", "r", name="r", tags={}, parent="")]
    events += [_event("metrics", "r", step=step, values=wide) for step in range(10)]
    Delivery(store, _unrefused)(events)
    assert [len(batch.metrics) for batch in store.batches] == [900, 900, 900, 300]


def test_a_run_told_again_after_its_end_is_left_as_it_was() -> None:
    store = MemoryStore()
    Delivery(store, _unrefused)(_sweep())
    before = store.num_requests
    trial = [event for event in _sweep() if event["run"] == "s/0"]
    Delivery(store, _unrefused)([event for event in trial if event["kind"] != "params"])
    _check(store)
    assert store.num_requests == before


def test_a_run_taken_up_again_is_running() -> None:
    store = MemoryStore()
    Delivery(store, _unrefused)(_sweep())
    Delivery(store, _unrefused)(_sweep()[:1])
    assert store.runs["s"].status == "RUNNING"


def test_a_run_ended_and_taken_up_again_in_one_window_is_running() -> None:
    store = MemoryStore()
    opened = _event("open", "s", name="s", tags={}, parent="")
    Delivery(store, _unrefused)([opened, _event("close", "s", status="KILLED")])
    Delivery(store, _unrefused)([opened, _event("close", "s", status="KILLED"), opened])
    assert store.runs["s"].status == "RUNNING"


def test_what_is_shown_changes_once_with_its_values() -> None:
    store = MemoryStore()
    Delivery(store, _unrefused)([_event("open", "s", name="s", tags={}, parent="")])
    for values in ({"h": 0.1, "u": 0.5}, {"h": 0.1, "u": 0.5}, {"h": 0.2, "u": 0.5}):
        shown = _event("metrics", "s", step=5, values=values, shown=True)
        Delivery(store, _unrefused)([shown, shown])
    assert store.runs["s"].points == [("h", 5, 0.1), ("u", 5, 0.5), ("h", 6, 0.2), ("u", 6, 0.5)]


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_files_survive_death_and_wait_for_their_run(tmp_path: Path, is_done: bool) -> None:
    copy = tmp_path / "1" / "logits.parquet"
    copy.parent.mkdir()
    copy.write_bytes(b"numbers")
    event = _event("file", "s", copy="1/logits.parquet", folder="out")

    def interrupt(_number: int, done: bool) -> None:
        if store.num_requests == 2 and done == is_done:
            raise Killed

    store = MemoryStore(interrupt)
    upload = Upload(store, tmp_path, _unrefused, lambda: False)
    with pytest.raises(OutageError, match="not in MLflow yet"):
        upload([event])
    store.create("s", "sweep", {}, "", 0)
    with pytest.raises(Killed):
        upload([event])
    upload([event])
    upload([event])
    assert store.runs["s"].files == {"out/logits.parquet": b"numbers"}
    assert not copy.exists()
