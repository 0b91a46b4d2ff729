"""MLflow, the only module that imports it: nested runs, found by key before they are created.

Runs nest sweep -> trial; the final run on trainval is a sibling of the trials. A run is identified
by its tag ``drmn.trial_key``, so that a restarted driver continues runs instead of doubling them.
"""

import contextlib
import logging
import os
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING", "false")

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME

from drmn.config_tree import Scalar
from drmn.errors import DrmnError
from drmn.places import without_password
from orchestration.settings import Settings

_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on runs
_MAX_PARAMS = 100
_MAX_METRICS = 1000


class Tag(StrEnum):
    """Every tag drmn sets."""

    DATASET = "drmn.dataset"
    VARIANT = "drmn.variant"
    PROTOCOL = "drmn.protocol"
    CONFIG_HASH = "drmn.config_hash"
    DATA_HASH = "drmn.data_hash"
    SPLIT_HASH = "drmn.split_hash"
    WEIGHTS_HASH = "drmn.weights_hash"
    GIT_SHA = "drmn.git_sha"
    SEED = "drmn.seed"
    TRIAL_KEY = "drmn.trial_key"
    SWEEP = "drmn.sweep"
    KIND = "drmn.kind"
    FAILURE = "drmn.failure"
    STOPPED = "drmn.stopped"
    COMMAND = "drmn.command"


class Status(StrEnum):
    """How a run ended, in MLflow's words; a pruned or stopped trial is KILLED."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    PRUNED = "KILLED"
    STOPPED = "KILLED"


@contextlib.contextmanager
def _server_errors() -> Iterator[None]:
    try:
        yield
    except MlflowException as error:
        raise TrackingError(
            f"MLflow refused: {without_password(error.message)}",
            "check MLFLOW_TRACKING_URI and the server's log; unset it to use SQLite",
        ) from error


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run as the server has it; ``status`` is MLflow's word."""

    run_id: str
    name: str
    status: str
    num_params: int
    tags: Mapping[str, str]


class TrackingError(DrmnError):
    """The tracking server refuses, or does not answer."""


class Tracker:
    """One MLflow experiment; every method raises TrackingError where the server does."""

    def __init__(self, settings: Settings, experiment: str) -> None:
        for chatty in ("alembic", "mlflow"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        settings.home.mkdir(parents=True, exist_ok=True)
        with _server_errors():
            self._client = MlflowClient(settings.tracking_uri)
            found = self._client.get_experiment_by_name(experiment)
            self.experiment_id: str = (
                found.experiment_id
                if found
                else self._client.create_experiment(
                    experiment, settings.artifact_root, tags=_MODEL_TRAINING
                )
            )

    @_server_errors()
    def open_run(
        self, key: str, name: str, tags: Mapping[str, str], parent: str | None = None
    ) -> str:
        """The id of the run with this trial key, created if there is none; it is RUNNING after."""
        existing = self._find(key)
        if existing is not None:
            self._client.update_run(existing.info.run_id, status="RUNNING")
            return str(existing.info.run_id)
        links = {MLFLOW_PARENT_RUN_ID: parent} if parent else {}
        run = self._client.create_run(
            self.experiment_id, tags={**tags, **links, Tag.TRIAL_KEY: key, MLFLOW_RUN_NAME: name}
        )
        return str(run.info.run_id)

    @_server_errors()
    def log_params(self, run_id: str, params: Mapping[str, Scalar]) -> None:
        """Flattened configuration by dotted path."""
        entries = [Param(key, str(value)) for key, value in params.items()]
        for start in range(0, len(entries), _MAX_PARAMS):
            self._client.log_batch(run_id, params=entries[start : start + _MAX_PARAMS])

    def log_metrics(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """One batch; ``step`` is the trainer's epoch."""
        self.log_epochs(run_id, {step: metrics})

    @_server_errors()
    def log_epochs(self, run_id: str, epochs: Mapping[int, Mapping[str, float]]) -> None:
        """Metrics by epoch, in as few batches as MLflow allows."""
        now_ms = int(time.time() * 1000)
        entries = [
            Metric(key, float(value), now_ms, step)
            for step, metrics in epochs.items()
            for key, value in metrics.items()
        ]
        for start in range(0, len(entries), _MAX_METRICS):
            self._client.log_batch(run_id, metrics=entries[start : start + _MAX_METRICS])

    def show_metrics(self, run_id: str, metrics: Mapping[str, float], step: int) -> None:
        """Have the run show these values, of a step it does not yet have if it shows others."""
        with _server_errors():
            shown = self._client.get_run(run_id).data.metrics
        if any(shown.get(key) != value for key, value in metrics.items()):
            last = max(self.last_step(run_id, key) for key in metrics)
            self.log_metrics(run_id, metrics, max(step, last + 1))

    @_server_errors()
    def last_step(self, run_id: str, metric: str) -> int:
        """The last step of ``metric`` in a run; 0 where there is none."""
        points = self._client.get_metric_history(run_id, metric)
        return max((int(point.step) for point in points), default=0)

    @_server_errors()
    def steps(self, run_id: str, metric: str) -> set[int]:
        """All steps of ``metric`` in a run."""
        points = self._client.get_metric_history(run_id, metric)
        return {int(point.step) for point in points}

    @_server_errors()
    def runs_of(self, key: str) -> dict[str, RunRecord]:
        """The run with this trial key and those whose key is below it, by trial key."""
        tag, token, found = f"tags.`{Tag.TRIAL_KEY}`", None, []
        while token != "":
            page = self._client.search_runs(
                [self.experiment_id], f"{tag} LIKE '{key}%'", max_results=1000, page_token=token
            )
            found += list(page)
            token = page.token or ""
        records = {run.data.tags[Tag.TRIAL_KEY]: _record(run) for run in found}
        return {k: r for k, r in records.items() if k == key or k.startswith(f"{key}/")}

    @_server_errors()
    def log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Tags in one batch."""
        self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    @_server_errors()
    def log_file(self, run_id: str, path: Path, folder: str | None = None) -> None:
        """Upload ``path`` as an artifact below ``folder``."""
        self._client.log_artifact(run_id, str(path), folder)

    @_server_errors()
    def has_files(self, run_id: str, folder: str) -> bool:
        """Whether the run has artifacts below ``folder``."""
        return bool(self._client.list_artifacts(run_id, folder))

    @_server_errors()
    def log_text(self, run_id: str, text: str, name: str) -> None:
        """A small text artifact."""
        self._client.log_text(run_id, text, name)

    @_server_errors()
    def close_run(self, run_id: str, status: Status) -> None:
        """Set the final status."""
        self._client.set_terminated(run_id, status.value)

    @_server_errors()
    def describe(self, run_id: str, markdown: str) -> None:
        """The run's description, as the UI shows it."""
        self._client.set_tag(run_id, "mlflow.note.content", markdown)

    def _find(self, key: str) -> Run | None:
        runs = self._client.search_runs(
            [self.experiment_id], filter_string=f"tags.`{Tag.TRIAL_KEY}` = '{key}'", max_results=1
        )
        return runs[0] if runs else None


def _record(run: Run) -> RunRecord:
    return RunRecord(
        run_id=run.info.run_id,
        name=run.info.run_name,
        status=run.info.status,
        num_params=len(run.data.params),
        tags=run.data.tags,
    )


def ui_command(settings: Settings) -> str:
    """The exact command that opens the MLflow UI on what was logged."""
    shown = without_password(settings.tracking_uri)
    if shown.startswith("http"):
        return f"open {shown}"
    program = Path(sys.executable).with_name("mlflow")
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    return shlex.join([str(program), "ui", "--backend-store-uri", shown])
