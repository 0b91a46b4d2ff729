"""A feature store that lies in an object store: its files come to each node once, when needed."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from drmn.data.store.features import FeatureStore
from drmn.data.store.manifest import MANIFEST_FILE, Manifest, Shard, check_contents, parse_manifest
from drmn.data.store.shard_cache import ShardCache
from drmn.data.store.storage import Storage
from drmn.errors import DataError


class RemoteFeatureStore(FeatureStore):
    """Reads as the local one does, by memory map, from the node's cache."""

    def __init__(self, storage: Storage, manifest: Manifest, cache: ShardCache) -> None:
        super().__init__(Path(storage.shown), manifest)
        self._storage, self._cache = storage, cache

    @classmethod
    def connect(cls, storage: Storage, cache: ShardCache) -> "RemoteFeatureStore":
        """Read the manifest; files follow when their rows are asked for.

        Raises:
            DataError: there is no complete store, or it cannot be read.
        """
        data = storage.read(MANIFEST_FILE)
        if data is None:
            raise DataError(
                f"{storage.shown} holds no feature store",
                "publish one with `drmn data features --publish`",
            )
        return cls(storage, parse_manifest(data, Path(storage.shown, MANIFEST_FILE)), cache)

    def __reduce__(self) -> tuple[Callable[..., FeatureStore], tuple[object, ...]]:
        return RemoteFeatureStore.connect, (self._storage, self._cache)

    @property
    def place(self) -> str:
        return self._storage.shown

    def verify(self) -> None:
        """Fetch every file; each is compared with its SHA-256 when it comes."""
        for shard in self.manifest.shards:
            self._file(shard)

    def _file(self, shard: Shard) -> Path:
        return self._cache.path(self._storage, shard)


def publish(
    store: FeatureStore, storage: Storage, progress: Callable[[int, int], None] | None = None
) -> None:
    """Copy a local store; files that are there already are left, the manifest comes last.

    What other features had there is replaced: their manifest goes first, so that none ever lies
    beside files of which it does not tell.

    Raises:
        DataError: a file is damaged, or the place cannot be written to.
    """
    own, published = (store.path / MANIFEST_FILE).read_bytes(), storage.read(MANIFEST_FILE)
    if published == own:
        return
    if published is not None:
        storage.remove(MANIFEST_FILE)
    for done, shard in enumerate(store.manifest.shards, start=1):
        check_contents(store.path, shard)
        if not _holds(storage, shard):
            storage.write(shard.file, (store.path / shard.file).read_bytes())
        if progress is not None:
            progress(done, len(store.manifest.shards))
    storage.write(MANIFEST_FILE, own)


def _holds(storage: Storage, shard: Shard) -> bool:
    """Compared by content: the files of two stores may have the same name and size."""
    if storage.size(shard.file) != shard.size_bytes:
        return False
    return hashlib.sha256(storage.read(shard.file) or b"").hexdigest() == shard.sha256
