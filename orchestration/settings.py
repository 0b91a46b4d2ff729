"""Where things run and are kept: the only reader of environment variables.

Every variable has an embedded default, so that nothing needs to be set on a laptop; a real
deployment sets them and no code path differs beyond this object.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOME = "DRMN_HOME"
DATA_ROOT = "DRMN_DATA_ROOT"
SWEEP_STORAGE = "DRMN_SWEEP_STORAGE"
ARTIFACT_ROOT = "DRMN_ARTIFACT_ROOT"
STUDY_STORAGE = "DRMN_STUDY_STORAGE"
TRACKING_URI = "MLFLOW_TRACKING_URI"
RAY_ADDRESS = "RAY_ADDRESS"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The places of one installation."""

    home: Path
    """Folder of everything kept locally: sweeps, feature stores, the demo set."""
    data_root: Path
    """Folder that holds one folder per data set, in the xlsa17 layout."""
    tracking_uri: str
    """MLflow: SQLite in ``home`` or a server."""
    artifact_root: str | None
    """Where a new MLflow experiment keeps artifacts; None: the server decides."""
    sweep_storage: str
    """Tune's storage: a folder that all nodes see, or an s3:// URI."""
    study_storage: str | None
    """SQLAlchemy URL of the Optuna storage; None: a journal file beside the sweep."""
    ray_address: str | None
    """An existing Ray cluster; None: a local one is started."""

    @property
    def sprites_root(self) -> Path:
        """Data root of the rendered demo set."""
        return self.home / "data"

    @property
    def cache_root(self) -> Path:
        """Feature stores live below."""
        return self.home / "cache"

    def sweep_folder(self, sweep: str) -> Path:
        """The driver's own files of one sweep."""
        return self.home / "sweeps" / sweep

    def study_folder(self, study: str) -> Path:
        """The files of one ablation study."""
        return self.home / "studies" / study


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment, defaults relative to the working directory."""
    home = Path(environ.get(HOME, ".drmn")).resolve()
    tracking_uri = environ.get(TRACKING_URI, f"sqlite:///{home}/mlflow.db")
    embedded = tracking_uri.startswith("sqlite:")
    return Settings(
        home=home,
        data_root=Path(environ.get(DATA_ROOT, "data/xlsa17")).resolve(),
        tracking_uri=tracking_uri,
        artifact_root=environ.get(ARTIFACT_ROOT, f"file://{home}/artifacts" if embedded else None),
        sweep_storage=_absolute(environ.get(SWEEP_STORAGE, str(home / "ray"))),
        study_storage=environ.get(STUDY_STORAGE),
        ray_address=environ.get(RAY_ADDRESS),
    )


def _absolute(place: str) -> str:
    """A URI as it is; a folder as an absolute path, as Tune wants it."""
    return place if "://" in place else str(Path(place).resolve())
