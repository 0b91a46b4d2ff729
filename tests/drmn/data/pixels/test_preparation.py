import json
import os
import pickle
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributions import write_folder
from PIL import Image

from drmn.data.dataset import Dataset, load_dataset
from drmn.data.images import ImageSource, images
from drmn.data.pixels import PreparedImages, prepare
from drmn.data.pixels.manifest import PixelShard, load_pixel_manifest
from drmn.data.pixels.preparation import PixelJob, make_shard
from drmn.data.store.shard_cache import ShardCache
from drmn.data.store.storage import Storage
from drmn.data.transforms import square_pixels
from drmn.errors import DataError

SIZE = 6
FIVE_ROWS = 5 * SIZE * SIZE * 3


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_folder(tmp_path / "MINE")
    return load_dataset("mine", tmp_path)


@pytest.fixture(params=["local", "remote"])
def storage(tmp_path: Path, request: pytest.FixtureRequest) -> Storage:
    """A folder by its path, and one through pyarrow's file systems as an object store is."""
    place = tmp_path / "out"
    place.mkdir()
    return Storage(str(place) if request.param == "local" else f"file://{place}")


def _prepare(dataset: Dataset, storage: Storage, **options: Any) -> None:
    prepare(dataset, images(dataset), SIZE, storage, shard_bytes=FIVE_ROWS, **options)


def _open(dataset: Dataset, storage: Storage, tmp_path: Path) -> PreparedImages:
    return PreparedImages.open(storage, ShardCache(tmp_path / "cache"), dataset.data_hash)


def test_prepared_pixels_are_those_of_the_pictures(
    dataset: Dataset, storage: Storage, tmp_path: Path
) -> None:
    calls: list[tuple[int, int]] = []
    _prepare(dataset, storage, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(5, 20), (10, 20), (15, 20), (20, 20)]
    prepared = _open(dataset, storage, tmp_path)
    assert isinstance(prepared, ImageSource)
    prepared = pickle.loads(pickle.dumps(prepared))  # noqa: S301
    for tail in dataset.image_paths:
        expected = square_pixels(images(dataset).open_image(tail), SIZE)
        np.testing.assert_array_equal(square_pixels(prepared.open_image(tail), SIZE), expected)
    assert not prepared.has("cat/9.jpg")


def test_only_missing_and_damaged_shards_are_made_again(dataset: Dataset, storage: Storage) -> None:
    _prepare(dataset, storage)
    before = load_pixel_manifest(storage)
    storage.write("pixels-00002.arrow", b"damaged")
    made: list[int] = []

    def runner(
        source: ImageSource, storage: Storage, jobs: Sequence[PixelJob]
    ) -> Iterator[PixelShard]:
        for job in jobs:
            made.append(job.index)
            yield make_shard(source, storage, job)

    _prepare(dataset, storage, runner=runner)
    assert made == [2]
    assert load_pixel_manifest(storage) == before


def test_unreadable_pictures_are_quarantined(
    dataset: Dataset, storage: Storage, tmp_path: Path
) -> None:
    for tail in ("cat/1.jpg", "owl/3.jpg"):
        (dataset.root / "images" / tail).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"1 pictures are unreadable, but --max-bad allows 0"):
        _prepare(dataset, storage)
    _prepare(dataset, storage, max_bad=2)
    report = json.loads(storage.read("quarantine.json") or b"")
    assert report["num_bad"] == 2
    assert "is broken" in report["images"]["owl/3.jpg"]
    assert not np.asarray(_open(dataset, storage, tmp_path).open_image("cat/1.jpg")).any()
    (dataset.root / "exclude.txt").write_bytes(storage.read("exclude.txt") or b"")
    assert load_dataset("mine", tmp_path).excluded == {"cat/1.jpg", "owl/3.jpg"}


def test_other_pictures_do_not_mix(dataset: Dataset, storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no prepared pictures"):
        _open(dataset, storage, tmp_path)
    _prepare(dataset, storage)
    with pytest.raises(DataError, match="other pictures or another size"):
        prepare(dataset, images(dataset), SIZE + 1, storage)
    with pytest.raises(DataError, match="another data set"):
        PreparedImages.open(storage, ShardCache(tmp_path / "cache"), "0" * 16)


@pytest.mark.parametrize("text", ["", "{}", '{"shards": 3}', '{"settings": 1, "shards": []}', "\0"])
def test_garbled_manifests_are_data_errors(dataset: Dataset, storage: Storage, text: str) -> None:
    storage.write("pixels.json", text.encode())
    with pytest.raises(DataError, match="damaged"):
        _prepare(dataset, storage)


@pytest.mark.parametrize("damage", [b"", b"ARROW1", None])
def test_damaged_shards_are_data_errors(
    dataset: Dataset, tmp_path: Path, damage: bytes | None
) -> None:
    storage = Storage(str(tmp_path / "out"))
    _prepare(dataset, storage)
    path = tmp_path / "out" / "pixels-00001.arrow"
    path.write_bytes(path.read_bytes()[:-300] if damage is None else damage)
    with pytest.raises(DataError, match="is damaged"):
        _open(dataset, storage, tmp_path).open_image(dataset.image_paths[7])


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ""])
def test_no_file_outside_its_folder_is_written(storage: Storage, name: str) -> None:
    with pytest.raises(DataError, match="leaves its folder"):
        storage.write(name, b"")


def test_unknown_places_are_named_without_their_secrets() -> None:
    storage = Storage("nowhere://bucket/x?session=secret")
    with pytest.raises(DataError, match="'nowhere://bucket/x' is no place that files") as caught:
        storage.write("x", b"")
    assert storage.shown == "nowhere://bucket/x"
    assert "secret" not in str(caught.value)


class Slow:
    """Pictures that take their time."""

    def __init__(self, source: ImageSource) -> None:
        self.location, self.has, self._source = source.location, source.has, source
        self.fingerprint = source.fingerprint

    def open_image(self, tail: str) -> Image.Image:
        time.sleep(0.05)
        return self._source.open_image(tail)


def _prepare_slowly(dataset: Dataset, storage: Storage) -> None:
    prepare(dataset, Slow(images(dataset)), SIZE, storage, shard_bytes=FIVE_ROWS)


@pytest.mark.slow
def test_a_killed_preparation_is_taken_up_where_it_was(dataset: Dataset, tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "out"))
    child = get_context("fork").Process(target=_prepare_slowly, args=(dataset, storage))
    child.start()
    while load_pixel_manifest(storage) is None:
        time.sleep(0.005)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    manifest = load_pixel_manifest(storage)
    assert manifest is not None
    assert 0 < manifest.num_done < 20
    first = (tmp_path / "out" / "pixels-00000.arrow").stat().st_mtime_ns
    _prepare(dataset, storage)
    assert (tmp_path / "out" / "pixels-00000.arrow").stat().st_mtime_ns == first
    whole = Storage(str(tmp_path / "whole"))
    _prepare(dataset, whole)
    assert load_pixel_manifest(storage) == load_pixel_manifest(whole)


def test_the_cache_fetches_once_and_forgets_the_least_recent(
    dataset: Dataset, tmp_path: Path
) -> None:
    storage = Storage(f"file://{tmp_path / 'out'}")
    (tmp_path / "out").mkdir()
    _prepare(dataset, storage)
    manifest = load_pixel_manifest(storage)
    assert manifest is not None
    size = manifest.shards[0].size_bytes
    cache = ShardCache(tmp_path / "cache", max_bytes=2 * size + 300)
    with ThreadPoolExecutor(4) as pool:
        first = set(pool.map(lambda _: cache.path(storage, manifest.shards[0]), range(8)))
    assert len(first) == 1
    time.sleep(0.01)
    cache.path(storage, manifest.shards[1])
    time.sleep(0.01)
    cache.path(storage, manifest.shards[0])
    time.sleep(0.01)
    cache.path(storage, manifest.shards[2])
    kept = {path.stem for path in (tmp_path / "cache").glob("*.arrow")}
    assert kept == {manifest.shards[0].sha256, manifest.shards[2].sha256}
    (tmp_path / "out" / "pixels-00003.arrow").write_bytes(b"other")
    with pytest.raises(DataError, match="other bytes than its manifest says"):
        cache.path(storage, manifest.shards[3])
    with pytest.raises(DataError, match="holds only 10"):
        ShardCache(tmp_path / "small", max_bytes=10).path(storage, manifest.shards[1])
