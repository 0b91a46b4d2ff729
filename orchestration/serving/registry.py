"""Models in MLflow: registered with their champion, and fetched by what a user calls them.

A registered model is called ``drmn-DATASET``; its alias ``champion`` is the version with the best
validation objective. Test scores are shown and decide nothing.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from drmn.deployed.saved_model import Record, SavedModel, load_model
from orchestration.objective import gain
from orchestration.serving.packaging import package
from orchestration.settings import Settings
from orchestration.tracking import Tag, TrackingError

CHAMPION = "champion"
MODEL_NAME = "model"
MODEL_KEY = "drmn.model_key"
OBJECTIVE, OBJECTIVE_VALUE = "drmn.objective", "drmn.objective_value"


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A version in the registry; ``verdict`` says why it is the champion, or not."""

    name: str
    version: str
    is_champion: bool
    verdict: str

    @property
    def uri(self) -> str:
        """What ``drmn predict --model`` and ``mlflow models serve -m`` take."""
        return f"models:/{self.name}/{self.version}"


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


def register(path: Path, experiment: str, run_key: str, settings: Settings) -> Registered:
    """Log the model of a final run and register it; again, it gives the version there is.

    Args:
        path: of the model file.
        experiment: and run_key: of the run it came from.

    Raises:
        TrackingError: MLflow refuses or does not answer; there is no such run.
        DataError: the file is damaged.
    """
    saved = load_model(path)
    try:
        return _Registration(MlflowClient(settings.tracking_uri), saved).run(
            path, experiment, run_key
        )
    except (MlflowException, OSError) as error:
        reason = error.message if isinstance(error, MlflowException) else str(error)
        raise TrackingError(
            f"the model {path} cannot be registered in MLflow: {reason}",
            "check MLFLOW_TRACKING_URI and the server's log; the file itself is complete",
        ) from error


class _Registration:
    """The steps; each looks whether an earlier attempt did it."""

    def __init__(self, client: MlflowClient, saved: SavedModel) -> None:
        self._client = client
        self._record = saved.record
        self._saved = saved
        self._name = f"drmn-{saved.record.dataset}"

    def run(self, path: Path, experiment: str, run_key: str) -> Registered:
        self._ensure_name()
        version = self._find(run_key)
        if version is None:
            run = self._run(experiment, run_key)
            logged = self._log(path, run, run_key)
            version = self._client.create_model_version(
                self._name,
                logged.artifact_location,
                run_id=run.info.run_id,
                model_id=logged.model_id,
                tags=self._tags(run_key),
                description=_description(self._record),
            )
        is_champion, verdict = self._judge(version)
        return Registered(
            name=self._name,
            version=str(version.version),
            is_champion=is_champion,
            verdict=verdict,
        )

    def _ensure_name(self) -> None:
        with contextlib.suppress(MlflowException):
            self._client.create_registered_model(self._name)
        self._client.get_registered_model(self._name)

    def _find(self, run_key: str) -> ModelVersion | None:
        versions = self._client.search_model_versions(f"name = '{self._name}'")
        return next((each for each in versions if each.tags.get(MODEL_KEY) == run_key), None)

    def _run(self, experiment: str, run_key: str) -> Run:
        found = self._client.get_experiment_by_name(experiment)
        runs = (
            []
            if found is None
            else self._client.search_runs(
                [found.experiment_id], f"tags.`{Tag.TRIAL_KEY}` = '{run_key}'", max_results=1
            )
        )
        if not runs:
            raise TrackingError(
                f"MLflow has no run {run_key} in the experiment {experiment}",
                "let the sweep's runs arrive first: drmn runs reconcile",
            )
        return runs[0]

    def _log(self, path: Path, run: Run, run_key: str) -> LoggedModel:
        tags = {Tag.TRIAL_KEY.value: run_key, **self._tags(run_key)}
        model = self._client.create_logged_model(
            run.info.experiment_id,
            MODEL_NAME,
            run.info.run_id,
            tags=tags,
            model_type="drmn",
        )
        with tempfile.TemporaryDirectory(prefix="drmn-package-") as folder:
            target = Path(folder) / MODEL_NAME
            package(path, target, model_id=model.model_id, run_id=run.info.run_id)
            self._client.log_model_artifacts(model.model_id, str(target))
        self._client.finalize_logged_model(model.model_id, "READY")
        return model

    def _tags(self, run_key: str) -> dict[str, str]:
        selection = self._record.selection or {}
        return {
            MODEL_KEY: run_key,
            Tag.DATASET: self._record.dataset,
            Tag.DATA_HASH: self._record.data_hash,
            Tag.SPLIT_HASH: str(selection.get("split_hash", "")),
            Tag.CONFIG_HASH: self._saved.config.hash(),
            OBJECTIVE: str(selection.get("metric", "")),
            OBJECTIVE_VALUE: repr(selection.get("value", "")),
        }

    def _judge(self, version: ModelVersion) -> tuple[bool, str]:
        """Make ``version`` the champion if it is better; both must have been judged alike."""
        best = self._champion()
        if best is None:
            verdict = "the first of its name"
        elif best.version == version.version:
            return True, "already"
        elif any(
            best.tags.get(tag) != version.tags.get(tag) for tag in (OBJECTIVE, Tag.SPLIT_HASH)
        ):
            return False, f"version {best.version} was judged on another split or objective"
        elif _value(version) <= _value(best):
            return False, f"version {best.version} is as good or better on validation"
        else:
            verdict = f"better than version {best.version} on validation"
        self._client.set_registered_model_alias(self._name, CHAMPION, version.version)
        return True, verdict

    def _champion(self) -> ModelVersion | None:
        aliases = self._client.get_registered_model(self._name).aliases
        if CHAMPION not in aliases:
            return None
        return self._client.get_model_version(self._name, str(aliases[CHAMPION]))


def _value(version: ModelVersion) -> float:
    metric = version.tags[OBJECTIVE]
    return gain(metric, {metric: float(version.tags[OBJECTIVE_VALUE])})


def _description(record: Record) -> str:
    rows = [f"| {name} | {100 * value:.2f} |" for name, value in record.scores.items()]
    chosen = record.selection or {}
    return "\n".join(
        [
            f"Chosen on validation: {chosen.get('metric')} = {chosen.get('value')}.",
            "",
            f"| {record.protocol} | per cent |",
            "|---|---|",
            *rows,
        ]
    )
