"""Models in a real MLflow: registered once, judged on validation, fetched, served over HTTP."""

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, LoggedModel, Run
from PIL import Image
from tiny_models import ATTRIBUTE_NAMES, model_of, tiny_pixels, tiny_trainer

from drmn.deployed.given_classes import read_classes
from drmn.deployed.prediction import Predictor
from drmn.deployed.saved_model import MODEL_FILE, SavedModel
from drmn.errors import DataError
from drmn.presets import sprites
from orchestration.finishing import RESULT_FILE
from orchestration.request import SweepRequest
from orchestration.request_file import REQUEST_FILE
from orchestration.serving.logged_model import log_model
from orchestration.serving.predicting import Wanted, predict_files
from orchestration.serving.reading import read_model
from orchestration.serving.registering import is_unregistered, register_now
from orchestration.serving.registry import CHAMPION, Registered, register
from orchestration.settings import Settings, read_settings
from orchestration.tracking import Tag, TrackingError
from search_spaces.registry import search_space

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
TABLE = f"class,{','.join(ATTRIBUTE_NAMES)}\nkoala,1,0,2,0,0\nquokka,0,1,0,0,3\n"


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
    return _register(model, settings, "a", 0.5)


def _register(
    model: SavedModel, settings: Settings, key: str, value: float, split: str = "s"
) -> Registered:
    chosen = {"metric": "val/gzsl_harmonic", "value": value, "split_hash": split}
    chosen |= {"experiment": "tests", "run": key, "protocol": "validation"}
    path = settings.home / key / MODEL_FILE
    replace(model, record=replace(model.record, selection=chosen)).save(path)
    return register(path, settings)


def test_the_champion_is_the_best_on_validation(
    model: SavedModel, settings: Settings, first: Registered
) -> None:
    client = MlflowClient(settings.tracking_uri)

    def champion() -> str:
        return str(client.get_model_version_by_alias("drmn-tiny", CHAMPION).version)

    assert (first.uri, first.is_champion) == ("models:/drmn-tiny/1", True)
    worse = _register(model, settings, "b", 0.4)
    assert (worse.is_champion, champion()) == (False, "1")
    elsewhere = _register(model, settings, "c", 0.9, split="another")
    assert (elsewhere.is_champion, champion()) == (False, "1")
    assert "another split" in elsewhere.verdict
    better = _register(model, settings, "d", 0.6)
    assert (better.is_champion, champion()) == (True, "4")
    again = _register(model, settings, "d", 0.6)
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
        _register(model, settings, "zzz", 0.5)


@pytest.fixture(scope="module")
def served(settings: Settings, first: Registered) -> Iterator[str]:
    """The URL of ``mlflow models serve`` with this environment's packages, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [str(BIN / "mlflow"), "models", "serve", "-m", first.uri, "--env-manager", "local"]
    environ = {**os.environ, "MLFLOW_TRACKING_URI": settings.tracking_uri, "OMP_NUM_THREADS": "1"}
    environ["PATH"] = f"{BIN}:{environ['PATH']}"
    with (settings.home / "serve.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", port, "--workers", "1"],
            env=environ,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _await(f"http://127.0.0.1:{port}/ping", server, settings.home / "serve.log")
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=20)


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


def _post(url: str, body: dict[str, object]) -> list[dict[str, object]]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        found: list[dict[str, object]] = json.loads(reply.read())["predictions"]
    return found


def test_the_served_model_answers_as_predict_does(
    settings: Settings, first: Registered, served: str, tmp_path: Path
) -> None:
    path, table = tmp_path / "cat.png", tmp_path / "new.csv"
    Image.fromarray(tiny_pixels(1)[0]).save(path)
    table.write_text(TABLE)
    picture = base64.b64encode(path.read_bytes()).decode()
    saved = read_model(first.uri, settings)
    for params, given in (({"top": 6}, False), ({"top": 6, "classes": TABLE}, True)):
        inputs = {"image": [picture, "bm8gcGljdHVyZQ=="]}
        answered, broken = _post(served, {"inputs": inputs, "params": params})
        (expected,) = predict_files(
            _predictor(saved, table if given else None), [path], Wanted(num_classes=6)
        )
        assert expected.answer is not None
        assert answered["decision"] == expected.answer.decision
        assert answered["classes"] == list(expected.answer.classes)
        assert answered["probabilities"] == pytest.approx(
            list(expected.answer.classes.values()), rel=1e-9
        )
        assert answered["attributes"] == list(expected.answer.attributes)
        assert "in row 1" in str(broken["error"])
    with pytest.raises(urllib.error.HTTPError) as refused:
        _post(served, {"inputs": {"image": [picture]}, "params": {"classes": "class,wings\nx,1"}})
    assert refused.value.code == 400
    assert "attributes are missing" in refused.value.read().decode()


def _predictor(saved: SavedModel, table: Path | None) -> Predictor:
    if table is None:
        return Predictor(saved)
    return Predictor(saved, read_classes(table, saved.attribute_names, saved.class_names))
