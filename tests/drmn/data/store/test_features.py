import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from counted_pictures import ask_for_features
from distributions import write_folder

from drmn.config import BackboneConfig, Config
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.images import images
from drmn.data.pixels import PreparedImages, prepare
from drmn.data.store.extraction import Extraction
from drmn.data.store.features import FeatureStore
from drmn.data.store.given_features import check_needs_no_regions, ensure_given_features
from drmn.data.store.making import ensure_features
from drmn.data.store.manifest import Shard
from drmn.data.store.remote_features import RemoteFeatureStore, publish
from drmn.data.store.shard_cache import ShardCache
from drmn.data.store.storage import Storage
from drmn.errors import ConfigError, DataError
from drmn.model.backbone import build_backbone
from drmn.variants import ENSEMBLE, VARIANTS

SIZE = 32
BACKBONE = BackboneConfig(name="resnet18")
ROWS = np.array([3, 0, 19, 3])


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("data")
    write_folder(root / "MINE")
    return load_dataset("mine", root)


@pytest.fixture(scope="module")
def store(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return ensure_features(dataset, BACKBONE, SIZE, tmp_path_factory.mktemp("cache"))


def _same(one: FeatureStore, other: FeatureStore) -> None:
    for level, expected in zip(one.levels(ROWS), other.levels(ROWS), strict=True):
        torch.testing.assert_close(level, expected, rtol=0, atol=0)


def test_rows_come_in_the_order_asked_for(store: FeatureStore) -> None:
    levels = store.levels(ROWS)
    assert [tuple(level.shape[1:]) for level in levels] == [spec.shape for spec in store.specs]
    assert torch.equal(levels[0][0], levels[0][3])
    store.verify()
    with pytest.raises(DataError, match=r"rows are 0\.\.19"):
        store.levels(np.array([20]))


def test_the_schema_says_what_a_file_holds(store: FeatureStore) -> None:
    path = store.path / store.manifest.shards[0].file
    metadata = pa.ipc.open_file(pa.memory_map(str(path))).schema.metadata
    assert metadata[b"drmn.dtype"] == b'"float16"'
    assert b'"channels": 512' in metadata[b"drmn.levels"]


def test_single_precision_is_another_store(
    dataset: Dataset, store: FeatureStore, tmp_path: Path
) -> None:
    precise = ensure_features(dataset, BACKBONE, SIZE, tmp_path, dtype="float32")
    assert precise.manifest.key != store.manifest.key
    assert pickle.loads(pickle.dumps(precise)).manifest.dtype == "float32"  # noqa: S301
    for level, half in zip(precise.levels(ROWS), store.levels(ROWS), strict=True):
        assert level.dtype == torch.float32
        torch.testing.assert_close(level.half().float(), half, rtol=0, atol=0)


def test_prepared_pictures_give_the_same_bytes(
    dataset: Dataset, store: FeatureStore, tmp_path: Path
) -> None:
    place = Storage(str(tmp_path / "pixels"))
    prepare(dataset, images(dataset), SIZE, place)
    pictures = PreparedImages.open(place, ShardCache(tmp_path / "shards"), dataset.data_hash)
    again = ensure_features(dataset, BACKBONE, SIZE, tmp_path, pictures=pictures)
    assert again.manifest == store.manifest


def _extraction(dataset: Dataset) -> Extraction:
    """Thirty-two images to a file, of sixty-four images."""
    tails = (list(dataset.image_paths) * 4)[:64]
    backbone = build_backbone(replace(BACKBONE, train="none"))
    return Extraction(
        tails=tails,
        pictures=images(dataset),
        backbone=backbone,
        image_size=SIZE,
        settings={"test": 1},
        shard_bytes=1,
    )


def test_files_made_elsewhere_are_the_same(dataset: Dataset, tmp_path: Path) -> None:
    def runner(work: Extraction, folder: Path, first_rows: Sequence[int]) -> Iterator[Shard]:
        copy = pickle.loads(pickle.dumps(work))  # noqa: S301
        yield from (copy.make_file(folder, first) for first in first_rows)

    _extraction(dataset).run(tmp_path / "one")
    _extraction(dataset).run(tmp_path / "two", runner=runner)
    assert (
        FeatureStore.open(tmp_path / "two").manifest == FeatureStore.open(tmp_path / "one").manifest
    )


class Killed(BaseException):
    """Stands for the end of a process."""


def test_an_interrupted_extraction_keeps_whole_files(dataset: Dataset, tmp_path: Path) -> None:
    def kill(done: int, total: int) -> None:
        if done == total:
            raise Killed

    with pytest.raises(Killed):
        _extraction(dataset).run(tmp_path / "two", kill)
    assert not (tmp_path / "two").exists()
    first = tmp_path / "two.partial" / "levels-00000.arrow"
    made = first.stat().st_mtime_ns
    _extraction(dataset).run(tmp_path / "two")
    assert (tmp_path / "two" / first.name).stat().st_mtime_ns == made
    _extraction(dataset).run(tmp_path / "one")
    assert (
        FeatureStore.open(tmp_path / "two").manifest == FeatureStore.open(tmp_path / "one").manifest
    )


@pytest.mark.slow
def test_of_two_processes_that_ask_at_once_one_computes(dataset: Dataset, tmp_path: Path) -> None:
    log = tmp_path / "opened.txt"
    arguments = (dataset.root.parent, tmp_path, log)
    spawn = get_context("spawn")
    both = [spawn.Process(target=ask_for_features, args=arguments) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert sorted(log.read_text().split()) == sorted(dataset.image_paths)


@pytest.mark.parametrize("name", ["manifest.json", "levels-00000.arrow"])
@pytest.mark.parametrize("at", [0, 9, 200, -60, -1])
def test_damage_is_a_data_error(store: FeatureStore, tmp_path: Path, name: str, at: int) -> None:
    for file in store.path.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    data = bytearray((tmp_path / name).read_bytes())
    data[at] ^= 255
    (tmp_path / name).write_bytes(data)
    try:
        damaged = FeatureStore.open(tmp_path)
        damaged.levels(ROWS)
        damaged.verify()
    except DataError as error:
        assert "damaged" in error.message
    else:
        pytest.fail("the damage went unnoticed")


def test_a_published_store_is_fetched_once(store: FeatureStore, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    far = Storage(f"file://{tmp_path / 'far'}")
    cache = ShardCache(tmp_path / "cache")
    with pytest.raises(DataError, match="holds no feature store"):
        RemoteFeatureStore.connect(far, cache)
    publish(store, far)
    publish(store, far)
    remote = RemoteFeatureStore.connect(far, cache)
    _same(remote, store)
    (tmp_path / "far" / "levels-00000.arrow").unlink()
    _same(pickle.loads(pickle.dumps(remote)), store)  # noqa: S301
    remote.verify()


def test_given_features_become_a_store(layout: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((7, 30)) * 100
    layout.rows["features"] = values
    dataset = load_dataset("tiny", layout.write())
    store = ensure_given_features(dataset, tmp_path / "cache")
    (level,) = store.levels(np.array([29, 4]))
    assert level.shape == (2, 1, 1, 7)
    np.testing.assert_allclose(level[:, 0, 0].numpy(), values.T[[29, 4]], rtol=1e-3)
    assert ensure_given_features(dataset, tmp_path / "cache").path == store.path


@pytest.mark.parametrize("wrong", [None, np.ones((7, 29)), np.full((7, 30), np.nan)])
def test_features_that_were_not_given_are_named(
    layout: Any, tmp_path: Path, wrong: np.ndarray | None
) -> None:
    if wrong is not None:
        layout.rows["features"] = wrong
    dataset = load_dataset("tiny", layout.write())
    with pytest.raises(DataError, match="`features`"):
        ensure_given_features(dataset, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_which_variants_need_regions() -> None:
    fit = []
    for name, variant in VARIANTS.items():
        try:
            check_needs_no_regions(variant.apply(Config()))
            fit.append(name)
        except ConfigError as error:
            assert "--variant baseline, +ACA or +SIT" in error.remedy
    assert fit == ["baseline", "+SIT", "+ACA"]
    assert ENSEMBLE.name not in fit
