"""The feature store: levels of a frozen backbone, read by every trial through a memory map."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from drmn.data.store.arrow_shards import damaged, map_shard
from drmn.data.store.manifest import Manifest, Shard, check_contents, load_manifest
from drmn.errors import DataError
from drmn.model.levels import LevelSpec

_SERIAL_SIZE = 1 << 15  # torch hands larger element-wise work to its pool of threads

FlatLevel = Float[np.ndarray, "_ _"]
"""One level of a file's n images, a row each."""


@runtime_checkable
class LevelSource(Protocol):
    """Where backbone levels come from."""

    @property
    def specs(self) -> tuple[LevelSpec, ...]: ...

    def levels(self, rows: Int64[np.ndarray, " B"]) -> tuple[Float[Tensor, "B _ _ _"], ...]:
        """Levels ``[B, H_l, W_l, C_l]`` of the data set's ``rows``, as float32."""
        ...


class FeatureStore:
    """Levels of all images of a data set, by memory map.

    Attributes:
        path: its folder.
        manifest: what was computed, from what.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._shards: dict[int, list[FlatLevel]] = {}

    @classmethod
    def open(cls, path: Path) -> "FeatureStore":
        """Check the manifest and the files' sizes; :meth:`verify` checks every byte.

        Raises:
            DataError: something is missing, truncated or garbled.
        """
        manifest = load_manifest(path)
        if manifest.num_rows_done != manifest.num_rows:
            found = f"it lists {manifest.num_rows_done} of {manifest.num_rows} rows"
            raise damaged(path / "manifest.json", found)
        return cls(path, manifest)

    @property
    def specs(self) -> tuple[LevelSpec, ...]:
        return self.manifest.levels

    @property
    def place(self) -> str:
        """Where it lies, for messages."""
        return str(self.path)

    def __len__(self) -> int:
        return self.manifest.num_rows

    def __reduce__(self) -> tuple[Callable[..., "FeatureStore"], tuple[object, ...]]:
        return FeatureStore.open, (self.path,)

    def levels(self, rows: Int64[np.ndarray, " B"]) -> tuple[Float[Tensor, "B _ _ _"], ...]:
        """Levels ``[B, H_l, W_l, C_l]`` of ``rows``, which may repeat and be in any order.

        Raises:
            DataError: a file is not what was written, or there is no such row.
        """
        self._check_rows(rows)
        shards, offsets = np.divmod(rows, self.manifest.rows_per_shard)
        places = [
            (self._shard(shard), row)
            for shard, row in zip(shards.tolist(), offsets.tolist(), strict=True)
        ]
        return tuple(
            _float32(self._gathered(places, index)).view(len(rows), *spec.shape)
            for index, spec in enumerate(self.specs)
        )

    def _gathered(
        self, places: list[tuple[list[FlatLevel], int]], index: int
    ) -> Float[Tensor, " values"]:
        """Values ``[B * H_l * W_l * C_l]`` of one level, of the type they are kept in."""
        num_values = len(places) * self.specs[index].num_values
        values = np.empty(num_values, np.dtype(self.manifest.dtype))
        if places:
            np.concatenate([shard[index][row] for shard, row in places], out=values)
        return torch.from_numpy(values)

    def verify(self) -> None:
        """Compare every file with its SHA-256.

        Raises:
            DataError: a file's bytes are not those that were written.
        """
        for shard in self.manifest.shards:
            check_contents(self.path, shard)

    def _shard(self, index: int) -> list[FlatLevel]:
        if index not in self._shards:
            shard = self.manifest.shards[index]
            path, dtype = self._file(shard), self.manifest.dtype
            levels = map_shard(path, self.specs, shard.num_rows, dtype)
            self._shards[index] = [level.reshape(shard.num_rows, -1) for level in levels]
        return self._shards[index]

    def _file(self, shard: Shard) -> Path:
        return self.path / shard.file

    def _check_rows(self, rows: Int64[np.ndarray, " B"]) -> None:
        outside = rows[(rows < 0) | (rows >= len(self))]
        if len(outside):
            raise DataError(
                f"row {outside[0]} is asked of the feature store {self.path}, "
                f"but its rows are 0..{len(self) - 1}"
            )


def _float32(stored: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """A cast that stays on the calling thread.

    That thread reads ahead while the main one computes: two teams of workers on the same cores
    wait for each other at every barrier (32 ms for one batch instead of 1 on two busy cores).
    """
    if stored.dtype == torch.float32 or torch.get_num_threads() == 1:
        return stored.float()
    floats = torch.empty(stored.shape)
    targets, sources = (torch.split(each, _SERIAL_SIZE) for each in (floats, stored))
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)
    return floats
