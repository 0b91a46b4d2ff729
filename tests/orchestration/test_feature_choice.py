"""Features that are there already: those of res101.mat, and a published store."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image
from pooled_features import write_pooled

from drmn.errors import ConfigError
from orchestration.feature_choice import FeatureChoice

BIN = Path(sys.executable).parent
SMALL = ["--set", "training.steps_per_epoch=1", "--set", "training.classes_per_batch=2"]
BASELINE = ["--data-root", ".", "--variant", "baseline", *SMALL]
FEW = ["--trials", "1", "--epochs", "1", "--grace-period", "1", "--final-seeds", "1"]
FEW += ["--no-paper-final"]
FROZEN = ["--backbone", "resnet18", "--weights", "none", "--image-size", "32"]


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DRMN_", "MLFLOW_"))}
    return subprocess.run(
        [str(BIN / "drmn"), *arguments],
        cwd=folder,
        env={**inherited, "NO_COLOR": "1", "COLUMNS": "200", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_the_option_names_a_place_or_what_came_with_the_splits() -> None:
    assert FeatureChoice.of(None, "imagenet").chosen == {"backbone.weights": "imagenet"}
    assert FeatureChoice.of("given", None) == FeatureChoice(store=None, weights="res101.mat")
    assert FeatureChoice.of("given", "res101.mat").store is None
    assert FeatureChoice.of("s3://bucket/x?region=y", None).store == "s3://bucket/x?region=y"
    store = FeatureChoice.of("features", None).store
    assert store is not None
    assert Path(store).is_absolute()


def test_contradictions_and_credentials_are_refused() -> None:
    with pytest.raises(ConfigError, match="--weights is 'none'"):
        FeatureChoice.of("given", "none")
    with pytest.raises(ConfigError, match="credentials") as caught:
        FeatureChoice.of("s3://me:secret@bucket/x", None)
    assert "secret" not in str(caught.value)


def _final_run(folder: Path, dataset: str) -> Run:
    client = MlflowClient(f"sqlite:///{folder}/.drmn/mlflow.db")
    experiment = client.get_experiment_by_name(f"drmn-{dataset}")
    assert experiment is not None
    (final,) = client.search_runs([experiment.experiment_id], "tags.`drmn.kind` = 'final'")
    return final


@pytest.mark.slow
def test_a_sweep_runs_on_given_features_where_no_regions_are_needed(tmp_path: Path) -> None:
    write_pooled(tmp_path / "GIVEN")
    given = ["--dataset", "given", "--features", "given"]
    refused = _run(tmp_path, "sweep", *given, *BASELINE, "--variant", "+ensemble")
    assert refused.returncode == 2
    assert "--variant baseline, +ACA or +SIT" in refused.stderr
    assert "Traceback" not in refused.stderr
    done = _run(tmp_path, "sweep", *given, *BASELINE, *FEW)
    assert done.returncode == 0, done.stdout + done.stderr
    final = _final_run(tmp_path, "given").data
    assert final.params["backbone.weights"] == "res101.mat"
    assert 0 <= final.metrics["test/gzsl_harmonic"] <= 1


@pytest.mark.slow
def test_a_sweep_reads_a_published_store_without_pictures(s3_uri: str, tmp_path: Path) -> None:
    write_pooled(tmp_path / "MINE")
    for number in range(48):
        path = tmp_path / "MINE" / "images" / str(number // 6) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (12, 8), (number, 0, 0)).save(path)
    frozen = ["--dataset", "mine", *FROZEN]
    made = _run(tmp_path, "data", "features", "--data-root", ".", *frozen, "--publish", s3_uri)
    assert made.returncode == 0, made.stderr
    shutil.rmtree(tmp_path / ".drmn")
    shutil.rmtree(tmp_path / "MINE" / "images")
    published = [*BASELINE, *frozen, "--features", s3_uri]
    done = _run(tmp_path, "sweep", *published, *FEW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 0 <= _final_run(tmp_path, "mine").data.metrics["test/gzsl_harmonic"] <= 1
    assert len(list((tmp_path / ".drmn" / "cache" / "shards").glob("*.arrow"))) == 1
    assert not (tmp_path / ".drmn" / "cache" / "features").exists()
    other = _run(tmp_path, "train", *published, "--image-size", "64", "--out", "other")
    assert other.returncode == 2
    assert "'image_size': 32}, but must be {'image_size': 64}" in other.stderr
