"""What a sweep's or a study's driver could not send to MLflow before it ended."""

from pathlib import Path

from orchestration.repair.truth import Difference
from orchestration.settings import Settings
from orchestration.tracking import TrackingError, num_spooled, send_spooled


def unsent(folder: Path) -> list[Difference]:
    """One difference if anything waits below ``folder``."""
    num_left = num_spooled(folder)
    has = f"{num_left} events unsent"
    left = Difference(subject="all", book="MLflow", has=has, should_have="all events")
    return [left] if num_left else []


def send(settings: Settings, folder: Path) -> None:
    """Have MLflow take all of it.

    Raises:
        TrackingError: it does not answer in the settings' time, or lets nobody in.
    """
    outcomes = send_spooled(settings, folder)
    if any(outcome.num_left for outcome in outcomes):
        raise TrackingError("; ".join(outcome.message for outcome in outcomes if outcome.message))
