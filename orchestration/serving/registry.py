"""Models in MLflow: registered with their champion, and fetched by what a user calls them.

A registered model is called ``drmn-DATASET``; its alias ``champion`` is the version with the best
validation objective. Test scores are shown and decide nothing.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from drmn.deployed.saved_model import Record, SavedModel, load_model
from drmn.errors import DataError
from orchestration.objective import gain
from orchestration.serving.logged_model import log_model
from orchestration.settings import Settings
from orchestration.tracking import OutageError, RefusedError, Tag, TrackingError, mlflow_errors

CHAMPION = "champion"
BEST_ON_TEST = "best-on-test"
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

    def __str__(self) -> str:
        role = "champion" if self.is_champion else "not the champion"
        return f"registered as {self.uri}, {role}: {self.verdict}"


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


def register(path: Path, settings: Settings) -> Registered:
    """Log the model of a sweep's final run and register it; again, it gives the version there is.

    Raises:
        TrackingError: MLflow refuses or does not answer; it does not have the run.
        DataError: the file is damaged, or not of a sweep that chose on validation.
    """
    saved = load_model(path)
    selection = saved.record.selection or {}
    if "run" not in selection or selection.get("protocol") == BEST_ON_TEST:
        raise DataError(
            f"the model {path} is of no sweep that chose on validation, but only such a model is "
            "registered",
            "use the file itself with --model",
        )
    try:
        with mlflow_errors():
            client = MlflowClient(settings.tracking_uri)
            return _Registration(client, saved, selection).run(path)
    except (OutageError, RefusedError) as error:
        raise TrackingError(
            f"the model {path} cannot be registered: {error.message}",
            f"check MLFLOW_TRACKING_URI and the server's log, then: drmn register {path}",
        ) from error


class _Registration:
    """The steps; each looks whether an earlier attempt did it."""

    def __init__(
        self, client: MlflowClient, saved: SavedModel, selection: Mapping[str, str | float]
    ) -> None:
        self._client = client
        self._record = saved.record
        self._saved = saved
        self._selection = selection
        self._run_key = str(selection["run"])
        self._name = f"drmn-{saved.record.dataset}"

    def run(self, path: Path) -> Registered:
        self._ensure_name()
        version = self._find()
        if version is None:
            run = self._run()
            logged = log_model(self._client, path, run, self._saved.config, self._tags())
            version = self._client.create_model_version(
                self._name,
                logged.artifact_location,
                run_id=run.info.run_id,
                model_id=logged.model_id,
                tags=self._tags(),
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

    def _find(self) -> ModelVersion | None:
        versions = self._client.search_model_versions(f"name = '{self._name}'")
        return next((each for each in versions if each.tags.get(MODEL_KEY) == self._run_key), None)

    def _run(self) -> Run:
        experiment, run_key = str(self._selection["experiment"]), self._run_key
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

    def _tags(self) -> dict[str, str]:
        selection = self._selection
        return {
            MODEL_KEY: self._run_key,
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
