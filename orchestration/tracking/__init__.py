"""MLflow, fed from disk: events are spooled first, one thread sends them, nothing waits for it.

``spool`` (append-only file) -> ``lane`` (thread, back-off) -> ``delivery`` (batches, each thing
once) -> ``server`` (MLflow's client). This package is the only importer of mlflow.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")  # s; the lane waits and tries again,
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")  # so that a single call fails fast

from orchestration.tracking.direct import DirectTracker
from orchestration.tracking.names import (
    DataInput,
    MlflowTag,
    OutageError,
    RefusedError,
    Status,
    Tag,
    TrackingError,
)
from orchestration.tracking.outbox import REPORTS, SPOOLS, Outcome
from orchestration.tracking.records import RunRecord
from orchestration.tracking.server import mlflow_errors, ui_command
from orchestration.tracking.tracker import Tracker, is_spooling, num_spooled, send_spooled

__all__ = [
    "REPORTS",
    "SPOOLS",
    "DataInput",
    "DirectTracker",
    "MlflowTag",
    "OutageError",
    "Outcome",
    "RefusedError",
    "RunRecord",
    "Status",
    "Tag",
    "Tracker",
    "TrackingError",
    "is_spooling",
    "mlflow_errors",
    "num_spooled",
    "send_spooled",
    "ui_command",
]
