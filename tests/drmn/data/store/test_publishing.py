"""A feature store that is published where other features of the same sizes lie."""

from pathlib import Path

import numpy as np
import pytest

from drmn.data.store.features import FeatureStore
from drmn.data.store.given_features import _write as write_given
from drmn.data.store.manifest import MANIFEST_FILE
from drmn.data.store.remote_features import RemoteFeatureStore, publish
from drmn.data.store.shard_cache import ShardCache
from drmn.data.store.storage import Storage
from drmn.errors import StoreError

STORAGES = ["{}", "file://{}"]


class Fragile(Storage):
    """It has no room for a manifest."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        if name == MANIFEST_FILE:
            raise StoreError("the store is full", "make room")
        super().write(name, data)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[FeatureStore]:
    """Two, which differ in their bytes alone."""
    found = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp("stores") / "store"
        rows = np.random.default_rng(seed).random((20, 8))
        write_given(folder, rows, {"version": seed, "dtype": "float16"})
        found.append(FeatureStore.open(folder))
    sizes = {shard.size_bytes for store in found for shard in store.manifest.shards}
    assert len(sizes) == 1
    return found


@pytest.fixture(params=STORAGES)
def place(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    (tmp_path / "far").mkdir()
    return str(request.param).format(tmp_path / "far")


def _verified(place: str, cache: Path) -> RemoteFeatureStore:
    remote = RemoteFeatureStore.connect(Storage(place), ShardCache(cache))
    remote.verify()
    return remote


def test_other_features_replace_those_that_were_there(
    stores: list[FeatureStore], place: str, tmp_path: Path
) -> None:
    rows = np.arange(20)
    for store in stores:
        publish(store, Storage(place))
        found = _verified(place, tmp_path / "cache")
        assert found.manifest == store.manifest
        assert found.levels(rows)[0].equal(store.levels(rows)[0])


def test_a_place_whose_features_were_half_replaced_holds_none_until_it_is_done(
    stores: list[FeatureStore], place: str, tmp_path: Path
) -> None:
    first, second = stores
    publish(first, Storage(place))
    with pytest.raises(StoreError, match="full"):
        publish(second, Fragile(place))
    assert Storage(place).read(MANIFEST_FILE) is None
    publish(first, Storage(place))
    assert _verified(place, tmp_path / "cache").manifest == first.manifest


def test_a_fetched_file_has_its_name_once_it_is_compared(
    stores: list[FeatureStore], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = stores
    publish(first, Storage(place))
    (shard,) = first.manifest.shards
    cache = ShardCache(tmp_path / "cache")
    monkeypatch.setattr(ShardCache, "_check", _die)
    with pytest.raises(KeyboardInterrupt):
        cache.path(Storage(f"file://{tmp_path / 'far'}"), shard)
    assert not list((tmp_path / "cache").glob("*.arrow"))


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_file_that_is_there_is_not_sent_again(
    stores: list[FeatureStore], place: str, tmp_path: Path
) -> None:
    first, _ = stores
    with pytest.raises(StoreError, match="full"):
        publish(first, Fragile(place))
    (sent,) = (tmp_path / "far").glob("*.arrow")
    before = sent.stat().st_mtime_ns
    publish(first, Storage(place))
    assert sent.stat().st_mtime_ns == before
