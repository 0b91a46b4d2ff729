"""A registered model served over HTTP by ``mlflow models serve``."""

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
from pathlib import Path

import pytest
from PIL import Image
from tiny_models import ATTRIBUTE_NAMES, tiny_pixels

from drmn.deployed.given_classes import read_classes
from drmn.deployed.prediction import Predictor
from drmn.deployed.saved_model import SavedModel
from orchestration.serving.predicting import Wanted, predict_files
from orchestration.serving.reading import read_model
from orchestration.serving.registry import Registered
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
TABLE = f"class,{','.join(ATTRIBUTE_NAMES)}\nkoala,1,0,2,0,0\nquokka,0,1,0,0,3\n"


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
