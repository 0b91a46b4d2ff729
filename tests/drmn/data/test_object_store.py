"""The data path against a real S3 server: DRMN_TEST_S3_URI and AWS_* credentials name it."""

import os
import uuid
from pathlib import Path

import numpy as np
import pytest
from distributions import write_folder

from drmn.config import BackboneConfig
from drmn.data.dataset import load_dataset
from drmn.data.features import ensure_features
from drmn.data.images import images
from drmn.data.pixels import PreparedImages, prepare
from drmn.data.pixels.manifest import load_pixel_manifest
from drmn.data.remote_features import RemoteFeatureStore, publish
from drmn.data.shard_cache import ShardCache
from drmn.data.storage import Storage
from drmn.errors import DataError

pytestmark = pytest.mark.slow

SIZE = 32


@pytest.fixture
def uri() -> str:
    """A prefix of its own in the bucket of DRMN_TEST_S3_URI."""
    given = os.environ.get("DRMN_TEST_S3_URI")
    if not given:
        pytest.skip("no S3 server: set DRMN_TEST_S3_URI=s3://bucket?endpoint_override=http://...")
    place, _, options = given.partition("?")
    return f"{place}/{uuid.uuid4().hex}?{options}"


def test_files_are_written_read_and_measured(uri: str, tmp_path: Path) -> None:
    storage = Storage(uri)
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


def test_pictures_and_features_by_way_of_s3(uri: str, tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    dataset = load_dataset("mine", tmp_path)
    storage = Storage(uri)
    prepare(dataset, images(dataset), SIZE, storage, shard_bytes=5 * SIZE * SIZE * 3)
    storage.write("pixels-00001.arrow", b"damaged")
    prepare(dataset, images(dataset), SIZE, storage, shard_bytes=5 * SIZE * SIZE * 3)
    manifest = load_pixel_manifest(storage)
    assert manifest is not None
    assert manifest.num_done == 20
    cache = ShardCache(tmp_path / "shards")
    pictures = PreparedImages.open(storage, cache, dataset.data_hash)
    backbone = BackboneConfig(name="resnet18")
    local = ensure_features(dataset, backbone, SIZE, tmp_path / "cache", pictures=pictures)
    direct = ensure_features(dataset, backbone, SIZE, tmp_path / "direct")
    assert local.manifest == direct.manifest
    publish(local, storage)
    remote = RemoteFeatureStore.connect(storage, cache)
    rows = np.arange(20)
    for level, expected in zip(remote.levels(rows), local.levels(rows), strict=True):
        assert bool((level == expected).all())
