"""Pictures and features made by the workers of a real Ray, one of which is killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from distributions import write_folder
from PIL import Image

from drmn.config import BackboneConfig
from drmn.data.dataset import load_dataset
from drmn.data.images import ImageSource, images
from drmn.data.pixels import prepare
from drmn.data.pixels.manifest import load_pixel_manifest
from drmn.data.store.features import FeatureStore
from drmn.data.store.making import ensure_features
from drmn.data.store.storage import Storage
from drmn.errors import DataError
from orchestration.cluster_shards import make_features_on_ray, make_pixels_on_ray

pytestmark = pytest.mark.slow

SIZE = 32
FIVE_ROWS = 5 * SIZE * SIZE * 3


@pytest.fixture(scope="module")
def ray_address() -> Iterator[str]:
    """A cluster of this machine's, which commands may join."""
    workers = {"env_vars": {"PYTHONPATH": os.pathsep.join(sys.path)}}
    context = ray.init(
        num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=workers
    )
    yield str(context.address_info["gcs_address"])
    ray.shutdown()


def _drmn(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "drmn"), "data", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class FatalOnce:
    """Pictures of which one kills the worker that opens it, the first time."""

    def __init__(self, source: ImageSource, tail: str, mark: Path) -> None:
        self._source, self._tail, self._mark = source, tail, mark
        self.location = source.location

    def has(self, tail: str) -> bool:
        return self._source.has(tail)

    def fingerprint(self, tails: tuple[str, ...]) -> str:
        return self._source.fingerprint(tails)

    def open_image(self, tail: str) -> Image.Image:
        if tail == self._tail and not self._mark.exists():
            self._mark.touch()
            os._exit(1)
        return self._source.open_image(tail)


def test_a_cluster_prepares_and_extracts_what_one_machine_does(
    tmp_path: Path, ray_address: str
) -> None:
    root = write_folder(tmp_path / "MINE")
    (root / "images" / "cat" / "0.jpg").write_bytes(b"broken")
    given = ["--dataset", "mine", "--data-root", ".", "--image-size", str(SIZE)]
    cluster = ["--ray-address", ray_address]
    _drmn(tmp_path, "prepare", *given, "--out", "ray", "--max-bad", "1", *cluster)
    dataset = load_dataset("mine", tmp_path)
    here, there = Storage(str(tmp_path / "here")), Storage(str(tmp_path / "ray"))
    prepare(dataset, images(dataset), SIZE, here, max_bad=1)
    assert load_pixel_manifest(there) == load_pixel_manifest(here)

    backbone = ["--backbone", "resnet18", "--weights", "none", "--prepared", "ray"]
    _drmn(tmp_path, "features", *given, *backbone, *cluster, "--publish", "features")
    published = FeatureStore.open(tmp_path / "features")
    assert published.manifest.num_rows_done == 20
    published.verify()


@pytest.mark.usefixtures("ray_address")
def test_a_killed_worker_costs_a_retry_and_a_killed_run_resumes(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    dataset = load_dataset("mine", tmp_path)
    storage, mark = Storage(str(tmp_path / "out")), tmp_path / "killed"
    source = FatalOnce(images(dataset), dataset.image_paths[7], mark)

    class Stopped(BaseException):
        """Stands for the end of the driver."""

    def stop(done: int, _total: int) -> None:
        if done == 10:
            raise Stopped

    def make(progress: object = None) -> None:
        prepare(
            dataset, source, SIZE, storage,
            progress=progress, runner=make_pixels_on_ray, shard_bytes=FIVE_ROWS,
        )  # fmt: skip

    with pytest.raises(Stopped):
        make(stop)
    first = load_pixel_manifest(storage)
    assert first is not None
    assert first.num_done == 10
    times = {each.file: (tmp_path / "out" / each.file).stat().st_mtime_ns for each in first.shards}
    make()
    assert mark.exists()
    for file, written in times.items():
        assert (tmp_path / "out" / file).stat().st_mtime_ns == written
    here = Storage(str(tmp_path / "here"))
    prepare(dataset, images(dataset), SIZE, here, shard_bytes=FIVE_ROWS)
    assert load_pixel_manifest(storage) == load_pixel_manifest(here)


@pytest.mark.usefixtures("ray_address")
def test_a_broken_picture_is_a_data_error_on_the_driver(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    dataset = load_dataset("mine", tmp_path)
    backbone = BackboneConfig(name="resnet18")
    (tmp_path / "MINE" / "images" / "cat" / "0.jpg").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"cat/0\.jpg"):
        ensure_features(dataset, backbone, SIZE, tmp_path, runner=make_features_on_ray)
