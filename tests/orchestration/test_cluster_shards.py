"""Pictures prepared by Ray's workers, started by the command as a user types it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from distributions import write_folder

from drmn.config import BackboneConfig
from drmn.data.dataset import load_dataset
from drmn.data.features import FeatureStore, ensure_features
from drmn.data.images import images
from drmn.data.pixels import prepare
from drmn.data.pixels.manifest import load_pixel_manifest
from drmn.data.storage import Storage

pytestmark = pytest.mark.slow


def _drmn(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "drmn"), "data", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )


def test_a_cluster_makes_what_one_machine_makes(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "MINE")
    (root / "images" / "cat" / "0.jpg").write_bytes(b"broken")
    given = ["--dataset", "mine", "--data-root", ".", "--image-size", "8"]
    done = _drmn(
        tmp_path, "prepare", *given, "--out", "ray", "--max-bad", "1", "--ray-address", "local"
    )
    assert done.returncode == 0, done.stderr
    assert "19 pictures" in done.stdout
    dataset = load_dataset("mine", tmp_path)
    here = Storage(str(tmp_path / "here"))
    prepare(dataset, images(dataset), 8, here, max_bad=1)
    assert load_pixel_manifest(here) == load_pixel_manifest(Storage(str(tmp_path / "ray")))


def test_features_are_computed_by_a_cluster_and_published(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    given = ["--dataset", "mine", "--data-root", ".", "--image-size", "32", "--weights", "none"]
    done = _drmn(
        tmp_path, "features", *given, "--backbone", "resnet18", "--ray-address", "local",
        "--publish", "published",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    dataset = load_dataset("mine", tmp_path)
    backbone = BackboneConfig(name="resnet18")
    here = ensure_features(dataset, backbone, 32, tmp_path / "here")
    assert FeatureStore.open(tmp_path / "published").manifest == here.manifest


def test_features_of_the_splits_own_file_say_what_they_serve(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    done = _drmn(
        tmp_path, "features", "--dataset", "mine", "--data-root", ".", "--weights", "res101.mat"
    )
    assert done.returncode == 2
    assert "mine has no res101.mat" in done.stderr


def test_pictures_of_a_data_set_are_drawn(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    done = _drmn(tmp_path, "describe", "--dataset", "mine", "--data-root", ".", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert [Path(line).name for line in done.stdout.split()] == [
        "samples.png",
        "attributes.png",
        "similarity.png",
    ]


def test_a_check_speaks_by_its_exit_code(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "MINE")
    given = ["check", "--dataset", "mine", "--data-root", "."]
    assert _drmn(tmp_path, *given, "--json").returncode == 1
    (root / "attributes.csv").unlink()
    absent = _drmn(tmp_path, *given)
    assert absent.returncode == 2
    assert "verdict: unusable" in absent.stdout
