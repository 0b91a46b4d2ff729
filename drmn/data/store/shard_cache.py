"""Files of a remote store, fetched once per node and kept while there is room.

Processes of one node share the cache's folder and a lock. The least recently opened files give
way; those that a process still has mapped stay readable to it after their name is gone.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from filelock import FileLock

from drmn.data.store.manifest import file_sha256
from drmn.data.store.storage import Storage
from drmn.errors import DataError

MAX_BYTES = 50 << 30


@runtime_checkable
class Stored(Protocol):
    """A file as a manifest knows it."""

    @property
    def file(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class ShardCache:
    """At most ``max_bytes`` of files in ``folder``."""

    folder: Path
    max_bytes: int = MAX_BYTES

    def path(self, storage: Storage, shard: Stored) -> Path:
        """The file on this machine; of a local store its own file.

        Raises:
            DataError: it cannot be fetched, is not what was written, or is larger than the cache.
        """
        if storage.local is not None:
            return storage.local / shard.file
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{shard.sha256}.arrow"
        with FileLock(self.folder / "cache.lock"):
            if not path.is_file():
                self._make_room(shard)
                unchecked = path.with_suffix(".unchecked")
                storage.fetch(shard.file, unchecked)
                self._check(unchecked, shard)
                unchecked.replace(path)
            os.utime(path)
        return path

    def _make_room(self, shard: Stored) -> None:
        if shard.size_bytes > self.max_bytes:
            raise DataError(
                f"{shard.file} has {shard.size_bytes} bytes, but the cache {self.folder} holds "
                f"only {self.max_bytes}",
                "allow it more",
            )
        files = sorted(self.folder.glob("*.arrow"), key=lambda path: path.stat().st_mtime_ns)
        used = sum(path.stat().st_size for path in files)
        for path in files:
            if used + shard.size_bytes <= self.max_bytes:
                return
            used -= path.stat().st_size
            path.unlink()

    @staticmethod
    def _check(path: Path, shard: Stored) -> None:
        if path.stat().st_size != shard.size_bytes or file_sha256(path) != shard.sha256:
            path.unlink()
            raise DataError(
                f"{shard.file} came with other bytes than its manifest says",
                "fetch it again; if it stays so, remove the store and compute it anew",
            )
