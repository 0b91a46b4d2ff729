"""A report beside the study's MLflow runs."""

from pathlib import Path

from orchestration.settings import Settings
from orchestration.tracking import REPORTS, SPOOLS, Tracker, is_spooling

EXPERIMENT_PREFIX = "drmn"


def experiment(dataset: str) -> str:
    """The MLflow experiment of a data set's studies."""
    return f"{EXPERIMENT_PREFIX}-{dataset}"


def log_report(settings: Settings, study: str, dataset: str, path: Path) -> str:
    """``path`` as an artifact of the study's own run; what MLflow does not have yet, or ""."""
    folder = settings.study_folder(study)
    spools = REPORTS if is_spooling(folder) else SPOOLS
    with Tracker(settings, experiment(dataset), folder, spools=spools) as tracker:
        tracker.log_file(study, path)
        return tracker.finish().message
