"""Prepared pixels as a source of pictures, by memory map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from drmn.data.pixels.manifest import PixelManifest, load_pixel_manifest
from drmn.data.store.shard_cache import ShardCache
from drmn.data.store.storage import Storage
from drmn.errors import DataError
from drmn.reading import FAULTS


class PreparedImages:
    """An ImageSource over complete shards; it may be pickled, forked and shared by threads.

    Attributes:
        location: where the shards are, for messages.
        image_size: pixels.
    """

    def __init__(self, storage: Storage, manifest: PixelManifest, cache: ShardCache) -> None:
        self.location = Path(storage.shown)
        self.image_size = manifest.image_size
        self._storage, self._manifest, self._cache = storage, manifest, cache
        self._places: dict[str, tuple[int, int]] = {}
        self._shards: dict[int, pa.RecordBatch] = {}

    @classmethod
    def open(cls, storage: Storage, cache: ShardCache, data_hash: str) -> "PreparedImages":
        """The pictures prepared from the data set of that hash.

        Raises:
            DataError: there are none, they are incomplete or of another data set.
        """
        manifest = load_pixel_manifest(storage)
        again = "run `drmn data prepare` with that --out"
        if manifest is None:
            raise DataError(f"{storage.shown} holds no prepared pictures", again)
        if manifest.num_done != manifest.num_rows:
            count = f"{manifest.num_done} of {manifest.num_rows}"
            raise DataError(f"{storage.shown} holds only {count} prepared pictures", again)
        if manifest.settings["data_hash"] != data_hash:
            raise DataError(f"{storage.shown} holds pictures of another data set", again)
        return cls(storage, manifest, cache)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_shards": {}, "_places": {}}

    def has(self, tail: str) -> bool:
        return tail in self._index()

    def open_image(self, tail: str) -> Image.Image:
        """A square picture; a quarantined one is black.

        Raises:
            DataError: it was not prepared, or its shard is not what was written.
        """
        if tail not in self._index():
            raise DataError(f"{self.location} has no prepared image {tail!r}")
        index, row = self._index()[tail]
        pixels = self._shard(index).column("pixels")[row].as_buffer()
        shape = (self.image_size, self.image_size, 3)
        return Image.fromarray(np.frombuffer(pixels, np.uint8).reshape(shape))

    def fingerprint(self, _tails: Sequence[str]) -> str:
        """Of the pictures that these were prepared from; shards are checked when they come."""
        return str(self._manifest.settings["pictures"])

    def _index(self) -> dict[str, tuple[int, int]]:
        """Shard and row of each image; read from the shards once."""
        if not self._places:
            self._places = {
                tail: (index, row)
                for index in range(len(self._manifest.shards))
                for row, tail in enumerate(self._shard(index).column("image").to_pylist())
            }
        return self._places

    def _shard(self, index: int) -> pa.RecordBatch:
        if index not in self._shards:
            shard = self._manifest.shards[index]
            path = self._cache.path(self._storage, shard)
            try:
                types = [pa.int64(), pa.string(), pa.binary(self.image_size**2 * 3)]
                batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
                batch.validate(full=True)  # texts are found by offsets that the file gives
                if batch.num_rows != shard.num_rows or batch.schema.types != types:
                    raise ValueError(f"it holds {batch.num_rows} rows of {batch.schema.types}")
                if batch.schema.names != ["row", "image", "pixels"]:
                    raise ValueError(f"its columns are {batch.schema.names}")
            except (*FAULTS, pa.ArrowException) as error:
                raise _damaged(path, str(error)) from error
            self._shards[index] = batch
        return self._shards[index]


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"the prepared file {path} is damaged: {reason}",
        "run `drmn data prepare` again: it makes damaged shards anew",
    )
