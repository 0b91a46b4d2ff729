"""A sweep's model on its way into MLflow's registry: packed, uploaded, registered, each once."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from crash_books import request
from crash_training import saved_model
from fault_matrix import Told, forked
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from drmn.deployed.saved_model import MODEL_FILE
from orchestration.request_file import write_request
from orchestration.serving.registering import REGISTERED_FILE, register_model
from orchestration.serving.registry import CHAMPION, download_model
from orchestration.settings import Settings, read_settings
from orchestration.tracking import Tag

KEY = "s/final"


class Registering:
    """The model of a run that MLflow has; ``uri`` is of a real MLflow server."""

    name = "registry"

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self.port = urlsplit(uri).port or 0

    def prepare(self, folder: Path) -> None:
        chosen = {"metric": "val/gzsl_harmonic", "value": 0.5, "split_hash": "s"}
        chosen |= {"experiment": folder.name, "run": KEY, "protocol": "validation"}
        model = saved_model()
        record = replace(model.record, dataset=folder.name, selection=chosen)
        replace(model, record=record).save(folder / "s" / MODEL_FILE)
        write_request(request(), folder / "s")
        (folder / "tmp").mkdir()
        life = forked(lambda _: self._make_run(folder.name))  # a connection is not to be shared
        assert life.word == "done", life.text

    def work(self, folder: Path, told: Told) -> None:
        tempfile.tempdir = str(folder / "tmp")
        register_model(folder / "s" / MODEL_FILE, self._settings(folder))
        told("registered")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        """What is in the registry can be fetched, and is the file."""
        tempfile.tempdir = str(folder / "tmp")
        versions = self._versions(folder)
        assert len(versions) <= 1, "it is registered twice"
        if (folder / "s" / REGISTERED_FILE).exists() or told:
            assert versions, "it is not in the registry"
        for version in versions:
            uri = f"models:/{version.name}/{version.version}"
            with download_model(uri, self._settings(folder)) as found:
                (copy,) = found.rglob(MODEL_FILE)
                assert copy.read_bytes() == (folder / "s" / MODEL_FILE).read_bytes()

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["registered"])
        assert (folder / "s" / REGISTERED_FILE).exists()
        client, name = MlflowClient(self._uri), f"drmn-{folder.name}"
        (version,) = self._versions(folder)
        assert client.get_model_version_by_alias(name, CHAMPION).version == version.version
        experiment = client.get_experiment_by_name(folder.name)
        assert experiment is not None
        (model,) = client.search_logged_models([experiment.experiment_id])
        assert str(model.status) == "READY"
        assert [(each.key, each.value) for each in model.metrics] == [("test/gzsl_harmonic", 0.5)]

    def _make_run(self, experiment: str) -> None:
        client = MlflowClient(self._uri)
        run = client.create_run(client.create_experiment(experiment), tags={Tag.TRIAL_KEY: KEY})
        client.log_metric(run.info.run_id, "test/gzsl_harmonic", 0.5, step=3)

    def _versions(self, folder: Path) -> list[ModelVersion]:
        return list(MlflowClient(self._uri).search_model_versions(f"name = 'drmn-{folder.name}'"))

    def _settings(self, folder: Path) -> Settings:
        return read_settings({"DRMN_HOME": str(folder), "MLFLOW_TRACKING_URI": self._uri})
