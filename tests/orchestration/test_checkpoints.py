"""A storage that is away is waited for, any other trouble is not."""

from pathlib import Path
from typing import Any

import pytest
from ray import tune

from drmn.errors import StoreAwayError, StoreError
from drmn.places import store_error
from orchestration import checkpoints
from orchestration.checkpoints import outlasting
from orchestration.trainable import DrmnTrainable, TrialContext


class _Away:
    """Fails so many times, then answers."""

    def __init__(self, times: int, error: type[StoreError] = StoreAwayError) -> None:
        self.times, self.error, self.num_calls = times, error, 0

    def __call__(self) -> str:
        self.num_calls += 1
        if self.num_calls <= self.times:
            raise self.error("away")
        return "stored"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A time that goes on by sleeping only."""
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(checkpoints.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    return now


def test_it_is_tried_until_it_answers(clock: list[float]) -> None:
    assert outlasting(60, _Away(20)) == "stored"
    assert clock == [20]


def test_the_time_is_limited_and_refusals_are_final() -> None:
    away, denied = _Away(1000), _Away(1, StoreError)
    with pytest.raises(StoreAwayError):
        outlasting(60, away)
    with pytest.raises(StoreError):
        outlasting(60, denied)
    assert (away.num_calls, denied.num_calls) == (61, 1)


@pytest.mark.parametrize(
    ("text", "is_away"),
    [
        ("curlCode: 7, Couldn't connect to server", True),
        ("AWS Error SLOW_DOWN during PutObject", True),
        ("AWS Error ACCESS_DENIED during PutObject", False),
        ("507 InsufficientStorage", False),
        ("[Errno 28] Error writing bytes to file. Detail: No space left on device", True),
    ],
)
def test_a_store_that_may_come_back_is_told_from_one_that_refuses(text: str, is_away: bool) -> None:
    assert isinstance(store_error("x", OSError(text)), StoreAwayError) is is_away


def test_a_checkpoint_whose_store_was_away_goes_where_it_was_to_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    places: list[int] = []

    class Storage:
        current_checkpoint_index = 4

    def save(self: Any, _: str) -> Any:
        self._storage.current_checkpoint_index += 1
        places.append(self._storage.current_checkpoint_index)
        if len(places) < 3:
            raise OSError("curlCode: 7, Couldn't connect to server")
        return type("Result", (), {"checkpoint": tune.Checkpoint.from_directory(str(tmp_path))})

    monkeypatch.setattr(tune.Trainable, "save", save)
    trial: DrmnTrainable = object.__new__(DrmnTrainable)
    trial._storage, trial._trainer = Storage(), type("T", (), {"epoch": 5})()  # type: ignore[assignment]
    trial._context = TrialContext(
        config={}, data_root="", features=None, num_threads=1, store_wait_s=60
    )
    trial.save(str(tmp_path))
    assert places == [5, 5, 5]
