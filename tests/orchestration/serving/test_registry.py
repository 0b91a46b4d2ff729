"""Models in a real MLflow: registered once, judged on validation, fetched."""

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Run
from registered_models import registered

from drmn.deployed.saved_model import MODEL_FILE, SavedModel
from drmn.errors import DataError
from drmn.presets import sprites
from orchestration.finishing import RESULT_FILE
from orchestration.request import SweepRequest
from orchestration.request_file import REQUEST_FILE
from orchestration.serving.logged_model import log_model
from orchestration.serving.reading import read_model
from orchestration.serving.registering import is_unregistered, register_now
from orchestration.serving.registry import CHAMPION, Registered, register
from orchestration.settings import Settings
from orchestration.tracking import Tag, TrackingError
from search_spaces.registry import search_space

pytestmark = pytest.mark.slow


def test_the_champion_is_the_best_on_validation(
    model: SavedModel, settings: Settings, first: Registered
) -> None:
    client = MlflowClient(settings.tracking_uri)

    def champion() -> str:
        return str(client.get_model_version_by_alias("drmn-tiny", CHAMPION).version)

    assert (first.uri, first.is_champion) == ("models:/drmn-tiny/1", True)
    worse = registered(model, settings, "b", 0.4)
    assert (worse.is_champion, champion()) == (False, "1")
    elsewhere = registered(model, settings, "c", 0.9, split="another")
    assert (elsewhere.is_champion, champion()) == (False, "1")
    assert "another split" in elsewhere.verdict
    better = registered(model, settings, "d", 0.6)
    assert (better.is_champion, champion()) == (True, "4")
    again = registered(model, settings, "d", 0.6)
    assert (again.version, again.is_champion) == ("4", True)
    assert len(client.search_model_versions("name = 'drmn-tiny'")) == 4


def test_it_is_fetched_by_each_of_its_names(
    model: SavedModel, settings: Settings, first: Registered
) -> None:
    client = MlflowClient(settings.tracking_uri)
    version = client.get_model_version("drmn-tiny", first.version)
    experiment = client.get_run(version.run_id).info.experiment_id
    models = client.search_logged_models([experiment])
    (logged,) = [each for each in models if each.source_run_id == version.run_id]
    assert (str(logged.status), logged.artifact_location) == ("READY", version.source)
    assert logged.params == {k: str(v) for k, v in model.config.flat().items()}
    (metric,) = logged.metrics
    shown = (metric.key, metric.value, metric.dataset_name, metric.dataset_digest)
    assert shown == ("test/gzsl_harmonic", 0.5, "tiny", "d-s")
    for uri in (first.uri, f"runs:/{version.run_id}/model", "models:/drmn-tiny@champion"):
        assert read_model(uri, settings).weights.keys() == model.weights.keys()
    with pytest.raises(TrackingError, match="does not give models:/drmn-tiny/99"):
        read_model("models:/drmn-tiny/99", settings)


def test_a_model_that_was_cut_short_is_logged_anew_and_a_whole_one_is_kept(
    model: SavedModel, settings: Settings, first: Registered
) -> None:
    client = MlflowClient(settings.tracking_uri)
    run = client.get_run(client.get_model_version("drmn-tiny", first.version).run_id)
    (whole,) = _logged(client, run)
    path = settings.home / "a" / MODEL_FILE
    assert log_model(client, path, run, model.config, {}).model_id == whole.model_id
    experiment = client.create_experiment("cut short", settings.artifact_root)
    cut = client.create_run(experiment, tags={Tag.TRIAL_KEY: "cut"})
    client.create_logged_model(experiment, "model", cut.info.run_id, {Tag.TRIAL_KEY: "cut"})
    made = log_model(client, path, cut, model.config, {})
    assert [each.model_id for each in _logged(client, cut)] == [made.model_id]
    (output,) = client.get_run(cut.info.run_id).outputs.model_outputs
    assert output.model_id == made.model_id
    points = client.get_metric_history(run.info.run_id, "test/gzsl_harmonic")
    assert [(point.step, point.value) for point in points] == [(3, 0.5)]


def _logged(client: MlflowClient, run: Run) -> list[LoggedModel]:
    models = client.search_logged_models([run.info.experiment_id])
    return [each for each in models if each.source_run_id == run.info.run_id]


def test_what_was_not_chosen_on_validation_is_not_registered(
    model: SavedModel, settings: Settings, tmp_path: Path
) -> None:
    chosen = {"run": "a", "experiment": "tests", "protocol": "best-on-test"}
    for selection in (None, chosen):
        path = tmp_path / MODEL_FILE
        replace(model, record=replace(model.record, selection=selection)).save(path)
        with pytest.raises(DataError, match="no sweep that chose on validation"):
            register(path, settings)


def test_a_model_waits_for_its_runs_and_for_a_server(settings: Settings, first: Registered) -> None:
    request = SweepRequest(
        name="a",
        variant="+ensemble",
        config=sprites(),
        space=search_space("sprites"),
        data_root=Path("nowhere"),
        num_trials=1,
    )
    folder = settings.home / "a"
    for name in (REQUEST_FILE, RESULT_FILE):
        (folder / name).write_text("{}")
    path, dead = folder / MODEL_FILE, replace(settings, tracking_uri="http://127.0.0.1:9")
    assert "does not have all" in register_now(path, settings, is_sent=False)
    said = register_now(path, dead, is_sent=True)
    assert "MLflow does not answer" in said
    assert "`drmn runs reconcile a` does it later" in said
    assert is_unregistered(folder, request)
    assert first.uri in register_now(path, settings, is_sent=True)
    assert not is_unregistered(folder, request)


def test_a_run_that_is_not_there_is_an_error(model: SavedModel, settings: Settings) -> None:
    with pytest.raises(TrackingError, match="has no run zzz"):
        registered(model, settings, "zzz", 0.5)
