"""MLflow's client behind our own words: runs by key, refusals told from outages."""

import contextlib
import logging
import shlex
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
)
from sqlalchemy.exc import SQLAlchemyError

from drmn.places import without_password
from orchestration.settings import Settings
from orchestration.tracking.migration import migrated_once
from orchestration.tracking.names import AccessError, OutageError, RefusedError, Tag
from orchestration.tracking.records import RunRecord, record_of
from orchestration.tracking.twins import told_apart, without_twins

_MODEL_TRAINING = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on runs
_REFUSALS = (400, 404, 409, 413, 422)
_NO_ACCESS = (401, 403)
_CHECK = "check MLFLOW_TRACKING_URI and the server's log; unset it to use SQLite"


Point = tuple[str, float, int, int]
"""A metric's key, value, time in milliseconds since 1970, and step."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A run that is there: its id, status, and each metric's last step and value."""

    run_id: str
    status: str
    last_steps: dict[str, int]
    last_values: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What goes to one run in one request."""

    metrics: Sequence[Point] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class Server:
    """One experiment of the MLflow at ``settings.tracking_uri``; connects when first used.

    Raises:
        RefusedError: the request is wrong, for ever.
        OutageError: the server, its database or its store does not answer now.
    """

    def __init__(self, settings: Settings, experiment: str) -> None:
        for chatty in ("alembic", "mlflow"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it is told here
        self._settings = settings
        self._experiment = experiment
        self._client: MlflowClient | None = None
        self._connecting = threading.Lock()
        self.experiment_id = ""
        """"" before the first connection."""

    def connect(self) -> MlflowClient:
        """The client, once the experiment is there."""
        with self._connecting:
            if self._client is None:
                with mlflow_errors(), migrated_once(self._settings):
                    client = MlflowClient(self._settings.tracking_uri)
                    self.experiment_id = self._ensure_experiment(client)
                self._client = client
            return self._client

    def find(self, key: str) -> Found | None:
        """The run with this trial key."""
        client = self.connect()
        with mlflow_errors():
            runs = client.search_runs(
                [self.experiment_id],
                filter_string=f"tags.`{Tag.TRIAL_KEY}` = '{key}'",
                order_by=["attributes.start_time ASC"],
            )
            if not runs:
                return None
            run = without_twins(client, runs)
        points = run.data.to_proto().metrics
        return Found(
            run_id=run.info.run_id,
            status=run.info.status,
            last_steps={point.key: int(point.step) for point in points},
            last_values={point.key: float(point.value) for point in points},
        )

    def runs_below(self, key: str) -> dict[str, RunRecord]:
        """The run with this trial key and those whose key is below it, by trial key."""
        client, tag = self.connect(), f"tags.`{Tag.TRIAL_KEY}`"
        found: list[Run] = []
        token = None
        with mlflow_errors():
            while token != "":
                page = client.search_runs(
                    [self.experiment_id], f"{tag} LIKE '{key}%'", max_results=1000, page_token=token
                )
                found += list(page)
                token = page.token or ""
            groups: dict[str, list[Run]] = {}
            for run in found:
                groups.setdefault(run.data.tags[Tag.TRIAL_KEY], []).append(run)
            return {
                k: record_of(*told_apart(client, runs))
                for k, runs in groups.items()
                if k == key or k.startswith(f"{key}/")
            }

    def steps(self, run_id: str, metric: str) -> set[int]:
        """All steps of ``metric`` in a run."""
        client = self.connect()
        with mlflow_errors():
            points = client.get_metric_history(run_id, metric)
        return {int(point.step) for point in points}

    def create(
        self, key: str, name: str, tags: Mapping[str, str], parent_id: str, time_ms: int
    ) -> str:
        """A new run's id; ``parent_id`` is "" for a run that is nested in none."""
        links = {MLFLOW_PARENT_RUN_ID: parent_id} if parent_id else {}
        own = {Tag.TRIAL_KEY: key, MLFLOW_RUN_NAME: name}
        client = self.connect()
        with mlflow_errors():
            run = client.create_run(self.experiment_id, time_ms, {**tags, **links, **own})
        return str(run.info.run_id)

    def log(self, run_id: str, batch: Batch) -> None:
        """All of ``batch`` in one request."""
        client = self.connect()
        with mlflow_errors():
            client.log_batch(
                run_id,
                [Metric(*metric) for metric in batch.metrics],
                [Param(key, value) for key, value in batch.params.items()],
                [RunTag(key, value) for key, value in batch.tags.items()],
                synchronous=True,
            )

    def log_dataset(self, run_id: str, fields: Mapping[str, str], context: str) -> None:
        """A data set as the run's input; ``fields`` are those of mlflow's Dataset."""
        client = self.connect()
        tags = [InputTag(MLFLOW_DATASET_CONTEXT, context)]
        with mlflow_errors():
            client.log_inputs(run_id, [DatasetInput(Dataset(**fields), tags)])

    def set_running(self, run_id: str) -> None:
        """Open a run again."""
        client = self.connect()
        with mlflow_errors():
            client.update_run(run_id, status="RUNNING")

    def close(self, run_id: str, status: str, time_ms: int) -> None:
        """End a run."""
        client = self.connect()
        with mlflow_errors():
            client.set_terminated(run_id, status, time_ms)

    def upload(self, run_id: str, path: Path, folder: str | None) -> None:
        """``path`` as an artifact below ``folder``."""
        client = self.connect()
        with mlflow_errors():
            client.log_artifact(run_id, str(path), folder)

    def _ensure_experiment(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        root = self._settings.artifact_root
        try:
            return str(client.create_experiment(self._experiment, root, tags=_MODEL_TRAINING))
        except MlflowException:
            if (made := client.get_experiment_by_name(self._experiment)) is None:
                raise
            return str(made.experiment_id)  # by another process, meanwhile


@contextlib.contextmanager
def mlflow_errors() -> Iterator[None]:
    """Turn what MLflow's client lets through into errors of ours.

    Raises:
        RefusedError: the request is wrong, for ever.
        OutageError: the server, its database or its store does not answer now.
    """
    try:
        yield
    except MlflowException as error:
        status, reason = error.get_http_status_code(), without_password(error.message)
        if status in _REFUSALS:
            raise RefusedError(f"MLflow refused: {reason}", _CHECK) from error
        if status in _NO_ACCESS:
            remedy = "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the token"
            raise AccessError(f"MLflow lets nobody in: {reason}", remedy) from error
        raise OutageError(f"MLflow does not answer: {_first_line(reason)}", _CHECK) from error
    except (OSError, SQLAlchemyError, Boto3Error, BotoCoreError, ClientError) as error:
        reason = f"{type(error).__name__}: {_first_line(without_password(str(error)))}"
        raise OutageError(f"MLflow or its store does not answer: {reason}", _CHECK) from error


def _first_line(reason: str) -> str:
    """Without the SQL statement that follows."""
    return reason.strip().partition("\n")[0]


def ui_command(settings: Settings) -> str:
    """The exact command that opens the MLflow UI on what was logged."""
    shown = without_password(settings.tracking_uri)
    if shown.startswith("http"):
        return f"open {shown}"
    program = Path(sys.executable).with_name("mlflow")
    if program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    return shlex.join([str(program), "ui", "--backend-store-uri", shown])
