"""A run shows the data it was made from."""

from pathlib import Path

import pytest
from distributions import write_folder
from mlflow import MlflowClient
from PIL import Image
from rich.console import Console

from drmn.data.dataset import Dataset, load_dataset
from orchestration.data_pictures import drawn, log_pictures
from orchestration.settings import read_settings
from orchestration.tracking import Tracker

pytestmark = pytest.mark.slow


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_folder(tmp_path / "MINE")
    return load_dataset("mine", tmp_path)


def test_pictures_are_logged_once(dataset: Dataset, tmp_path: Path) -> None:
    settings, console = read_settings({"DRMN_HOME": str(tmp_path / "home")}), Console(quiet=True)
    with Tracker(settings, "drmn-mine", tmp_path) as tracker:
        run = tracker.open_run("key", "name", {})
        log_pictures(tracker, run, dataset, settings.cache_root, console)
    files = {path: path.stat().st_mtime_ns for path in _logged(settings.home)}
    assert sorted(path.name for path in files) == [
        "attributes.png",
        "samples.png",
        "similarity.png",
    ]
    client = MlflowClient(settings.tracking_uri)
    experiment = client.get_experiment_by_name("drmn-mine")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    listed = client.list_artifacts(found.info.run_id, "data")
    assert {each.path for each in listed} == {f"data/{path.name}" for path in files}
    with Tracker(settings, "drmn-mine", tmp_path) as tracker:
        log_pictures(tracker, run, dataset, settings.cache_root, console)
    assert {path: path.stat().st_mtime_ns for path in _logged(settings.home)} == files


def _logged(home: Path) -> list[Path]:
    return list((home / "artifacts").rglob("data/*.png"))


def test_they_are_drawn_again_when_the_images_change(dataset: Dataset, tmp_path: Path) -> None:
    first = drawn(dataset, tmp_path)
    made = first[0].stat().st_mtime_ns
    assert drawn(dataset, tmp_path)[0].stat().st_mtime_ns == made
    Image.new("RGB", (12, 8), (9, 9, 9)).save(dataset.root / "images" / dataset.image_paths[0])
    assert drawn(dataset, tmp_path)[0].parent != first[0].parent


def test_a_run_goes_on_without_pictures(dataset: Dataset, tmp_path: Path) -> None:
    settings, console = read_settings({"DRMN_HOME": str(tmp_path / "home")}), Console(width=200)
    with Tracker(settings, "drmn-mine", tmp_path) as tracker, console.capture() as captured:
        run = tracker.open_run("key", "name", {})
        settings.cache_root.write_text("a file in the folder's place")
        log_pictures(tracker, run, dataset, settings.cache_root, console)
    assert "no pictures of mine" in captured.get()
    assert not _logged(settings.home)
