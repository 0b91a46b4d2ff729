"""A report beside the study's MLflow runs."""

from pathlib import Path

from orchestration.settings import Settings
from orchestration.tracking import Tracker

EXPERIMENT_PREFIX = "drmn"


def experiment(dataset: str) -> str:
    """The MLflow experiment of a data set's studies."""
    return f"{EXPERIMENT_PREFIX}-{dataset}"


def log_report(settings: Settings, study: str, dataset: str, path: Path) -> None:
    """``path`` as an artifact of the study's own run."""
    spool = settings.study_folder(study) / "report"
    with Tracker(settings, experiment(dataset), spool) as tracker:
        tracker.log_file(study, path)
