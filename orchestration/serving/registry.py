"""Models in MLflow: fetched by what a user calls them."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestration.settings import Settings
from orchestration.tracking import TrackingError

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
from mlflow.exceptions import MlflowException


@contextlib.contextmanager
def download_model(uri: str, settings: Settings) -> Iterator[Path]:
    """A temporary folder with the files of ``runs:/ID/model`` or ``models:/NAME@ALIAS``.

    Raises:
        TrackingError: there is none of that name, or MLflow does not answer.
    """
    mlflow.set_tracking_uri(settings.tracking_uri)
    with tempfile.TemporaryDirectory(prefix="drmn-model-") as folder:
        try:
            mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)
        except (MlflowException, OSError) as error:
            reason = error.message if isinstance(error, MlflowException) else str(error)
            raise TrackingError(
                f"MLflow does not give {uri}: {reason}",
                "see the names on its Models page, or set MLFLOW_TRACKING_URI to where it is",
            ) from error
        yield Path(folder)
