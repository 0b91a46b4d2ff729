"""What goes to MLflow of a trial that a full disk interrupts."""

from collections.abc import Mapping

import pytest

from drmn.presets import sprites
from orchestration.events import Fate
from orchestration.tracking import Status, Tracker, TrackingError
from orchestration.trial_logging import SweepRun, TrialLogger


class _FullThenNot(Tracker):
    """A spool whose disk is full until a run is opened a second time."""

    def __init__(self) -> None:
        self.closed: dict[str, Status] = {}

    def open_run(self, *_: object, **__: object) -> str:
        raise TrackingError("an event of MLflow cannot be written (no space is left)")

    def log_tags(self, run: str, tags: Mapping[str, str]) -> None:
        """Taken."""

    def close_run(self, run: str, status: Status) -> None:
        self.closed[run] = status


def test_a_trial_whose_start_could_not_be_written_can_be_told_to_have_stopped() -> None:
    """Or the reason would be hidden by another error while the driver ends."""
    tracker = _FullThenNot()
    run = SweepRun(run_id="s", sweep="s", tags={}, config=sprites())
    logger = TrialLogger(tracker, run)
    with pytest.raises(TrackingError, match="no space is left"):
        logger.started("0000", {})
    logger.ended("0000", Fate.STOPPED, 0, "its driver failed")
    assert tracker.closed == {"s/0000": Status.STOPPED}
