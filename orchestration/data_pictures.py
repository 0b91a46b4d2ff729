"""The pictures of ``drmn data describe`` beside a run: drawn once per data set, logged once."""

from pathlib import Path

from rich.console import Console

from drmn.data.dataset import Dataset
from drmn.data.description import PICTURES, describe
from drmn.data.images import images
from drmn.errors import DataError
from orchestration.tracking import Tracker

ARTIFACT_FOLDER = "data"


def log_pictures(
    tracker: Tracker, run_id: str, dataset: Dataset, cache_root: Path, console: Console
) -> None:
    """Log them as ``data/*.png``, unless the run has them already.

    A picture that cannot be drawn is no reason to stop a run: it is said, and left out.

    Raises:
        TrackingError: MLflow refuses.
    """
    if tracker.has_files(run_id, ARTIFACT_FOLDER):
        return
    try:
        paths = drawn(dataset, cache_root)
    except DataError as error:
        console.print(f"no pictures of {dataset.name}: {error.message}", markup=False)
        return
    for path in paths:
        tracker.log_file(run_id, path, ARTIFACT_FOLDER)


def drawn(dataset: Dataset, cache_root: Path) -> list[Path]:
    """The pictures of these images and attributes; those drawn before are kept."""
    fingerprint = images(dataset).fingerprint(dataset.image_paths)
    folder = cache_root / "pictures" / f"{dataset.data_hash}-{dataset.split_hash}-{fingerprint}"
    paths = [folder / name for name in PICTURES]
    return paths if all(path.is_file() for path in paths) else describe(dataset, folder)
