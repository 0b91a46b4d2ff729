"""A registry with a tiny model in it."""

import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput
from registered_models import registered
from tiny_models import model_of, tiny_trainer

from drmn.deployed.saved_model import SavedModel
from orchestration.serving.registry import Registered
from orchestration.settings import Settings, read_settings
from orchestration.tracking import Tag


@pytest.fixture(scope="module")
def model() -> SavedModel:
    return model_of(tiny_trainer())


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An MLflow with the runs a, b, c, d in the experiment "tests"."""
    found = read_settings({"DRMN_HOME": str(tmp_path_factory.mktemp("home"))})
    client = MlflowClient(found.tracking_uri)
    experiment = client.create_experiment("tests", found.artifact_root)
    for key in "abcd":
        run = client.create_run(experiment, tags={Tag.TRIAL_KEY: key})
        client.log_metric(run.info.run_id, "test/gzsl_harmonic", 0.5, step=3)
        data = Dataset("tiny", "d-s", "local", "{}")
        client.log_inputs(run.info.run_id, [DatasetInput(data)])
    return found


@pytest.fixture(scope="module")
def first(model: SavedModel, settings: Settings) -> Registered:
    return registered(model, settings, "a", 0.5)
