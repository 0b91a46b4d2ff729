"""A report beside the study's MLflow runs."""

from pathlib import Path

from orchestration.settings import Settings
from orchestration.tracking import Status, Tracker

EXPERIMENT_PREFIX = "drmn"


def experiment(dataset: str) -> str:
    """The MLflow experiment of a data set's studies."""
    return f"{EXPERIMENT_PREFIX}-{dataset}"


def log_report(settings: Settings, study: str, dataset: str, path: Path) -> None:
    """``path`` as an artifact of the study's own run."""
    tracker = Tracker(settings, experiment(dataset))
    run_id = tracker.open_run(study, f"study {study}", {})
    tracker.log_file(run_id, path)
    tracker.close_run(run_id, Status.FINISHED)
