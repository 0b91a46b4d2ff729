"""The data path against a real S3 server."""

from pathlib import Path

import numpy as np
import pytest
import torch
from distributions import write_folder

from drmn.config import BackboneConfig
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.images import images
from drmn.data.pixels import PreparedImages, prepare
from drmn.data.pixels.manifest import load_pixel_manifest
from drmn.data.store.features import FeatureStore
from drmn.data.store.making import ensure_features
from drmn.data.store.remote_features import RemoteFeatureStore, publish
from drmn.data.store.shard_cache import ShardCache
from drmn.data.store.storage import Storage
from drmn.errors import DataError

pytestmark = pytest.mark.slow

SIZE = 32
BACKBONE = BackboneConfig(name="resnet18")
ROWS = np.arange(20)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    write_folder(tmp_path / "MINE")
    return load_dataset("mine", tmp_path)


def _same(one: FeatureStore, other: FeatureStore) -> None:
    for level, expected in zip(one.levels(ROWS), other.levels(ROWS), strict=True):
        torch.testing.assert_close(level, expected, rtol=0, atol=0)


def test_files_are_written_read_and_measured(s3_uri: str, tmp_path: Path) -> None:
    storage = Storage(s3_uri)
    assert storage.read("a.bin") is None
    assert storage.size("a.bin") is None
    data = bytes(range(256)) * 40_000
    storage.write("a.bin", data)
    storage.write("a.bin", data[::-1])
    assert storage.read("a.bin") == data[::-1]
    assert storage.size("a.bin") == len(data)
    storage.fetch("a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == data[::-1]
    with pytest.raises(DataError, match="cannot be fetched"):
        storage.fetch("b.bin", tmp_path / "b.bin")
    assert not (tmp_path / "b.bin").exists()


def test_pictures_are_prepared_to_s3_and_a_damaged_shard_is_made_again(
    s3_uri: str, dataset: Dataset, tmp_path: Path
) -> None:
    storage, shard_bytes = Storage(s3_uri), 5 * SIZE * SIZE * 3
    prepare(dataset, images(dataset), SIZE, storage, shard_bytes=shard_bytes)
    storage.write("pixels-00001.arrow", b"damaged")
    with pytest.raises(DataError, match=r"pixels-00001\.arrow came with other bytes"):
        cache = ShardCache(tmp_path / "early")
        PreparedImages.open(storage, cache, dataset.data_hash).has(dataset.image_paths[0])
    prepare(dataset, images(dataset), SIZE, storage, shard_bytes=shard_bytes)
    manifest = load_pixel_manifest(storage)
    assert manifest is not None
    assert manifest.num_done == 20
    pictures = PreparedImages.open(storage, ShardCache(tmp_path / "shards"), dataset.data_hash)
    from_s3 = ensure_features(dataset, BACKBONE, SIZE, tmp_path / "cache", pictures=pictures)
    _same(from_s3, ensure_features(dataset, BACKBONE, SIZE, tmp_path / "direct"))


def test_features_are_fetched_once_into_a_bounded_cache(
    s3_uri: str, dataset: Dataset, tmp_path: Path
) -> None:
    storage = Storage(s3_uri)
    local = ensure_features(dataset, BACKBONE, SIZE, tmp_path / "cache")
    publish(local, storage)
    (shard,) = local.manifest.shards
    folder = tmp_path / "shards"
    cache = ShardCache(folder, max_bytes=shard.size_bytes)
    _same(RemoteFeatureStore.connect(storage, cache), local)
    (fetched,) = folder.glob("*.arrow")
    inode = fetched.stat().st_ino
    _same(RemoteFeatureStore.connect(storage, cache), local)
    assert fetched.stat().st_ino == inode
    with pytest.raises(DataError, match="holds only"):
        narrow = ShardCache(tmp_path / "narrow", max_bytes=shard.size_bytes - 1)
        RemoteFeatureStore.connect(storage, narrow).levels(ROWS)


def test_features_that_changed_on_their_way_are_refused(
    s3_uri: str, dataset: Dataset, tmp_path: Path
) -> None:
    storage = Storage(s3_uri)
    local = ensure_features(dataset, BACKBONE, SIZE, tmp_path / "cache")
    publish(local, storage)
    (shard,) = local.manifest.shards
    storage.write(shard.file, bytes(shard.size_bytes))
    with pytest.raises(DataError, match="other bytes than its manifest says"):
        RemoteFeatureStore.connect(storage, ShardCache(tmp_path / "shards")).levels(ROWS)
    assert not list((tmp_path / "shards").glob("*.arrow"))
