"""Computing a feature store: pictures through a frozen backbone, file by file, resumably.

Files are written to ``<key>.partial``, which becomes ``<key>`` when the last one is complete. After
each file the manifest is renewed, so a process that was killed leaves complete files that the
next one checks and keeps. The same rows always share a batch and a file, so a store that was
resumed equals one that was not, bit for bit.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float16, UInt8
from torch import Tensor

from drmn.data.arrow_shards import LARGEST, write_shard
from drmn.data.images import ImageSource
from drmn.data.manifest import Manifest, Shard, check_contents, describe_shard, load_manifest
from drmn.data.transforms import normalise, read_pixels
from drmn.errors import DataError
from drmn.model.backbone import Backbone
from drmn.prefetch import Prefetch

SHARD_BYTES = 128 << 20
BATCH = 32  # images at once: more is no faster on a CPU
_VALUE_BYTES = 2

Progress = Callable[[int, int], None]
Levels = tuple[Float16[np.ndarray, "n _ _ _"], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Extraction:
    """What is to be computed. ``settings`` go into the manifest and, hashed, make the key."""

    tails: Sequence[str]
    pictures: ImageSource
    backbone: Backbone
    image_size: int
    settings: Mapping[str, object]
    device: str = "cpu"
    shard_bytes: int = SHARD_BYTES

    def run(self, folder: Path, progress: Progress | None = None) -> None:
        """Compute all levels into ``folder``, which appears when it is complete.

        Raises:
            DataError: a picture cannot be used, or the disk is too small. Nothing is left.
            OSError: writing failed. Complete files are kept for the next attempt.
        """
        partial = folder.with_name(f"{folder.name}.partial")
        try:
            manifest = self._resumed(partial)
            _check_space(partial, manifest)
            for grown in self._files(partial, manifest, progress):
                grown.save(partial)
        except DataError:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        partial.rename(folder)

    def _resumed(self, partial: Path) -> Manifest:
        """The manifest of the files that an earlier attempt completed; in an empty folder, none."""
        empty = self._empty_manifest()
        try:
            found = load_manifest(partial)
        except DataError:
            found = empty
        kept = found if replace(found, shards=()) == empty else empty
        partial.mkdir(exist_ok=True)
        return replace(empty, shards=tuple(_intact(partial, kept)))

    def _empty_manifest(self) -> Manifest:
        specs = self.backbone.specs(self.image_size)
        row_bytes = _VALUE_BYTES * sum(spec.num_values for spec in specs)
        return Manifest(
            settings=self.settings,
            levels=specs,
            num_rows=len(self.tails),
            rows_per_shard=BATCH * max(1, self.shard_bytes // (row_bytes * BATCH)),
        )

    def _files(
        self, partial: Path, manifest: Manifest, progress: Progress | None
    ) -> Iterator[Manifest]:
        """Write the files that are missing; a manifest after each."""
        collected: list[Levels] = []
        for rows, levels in self._batches(manifest.num_rows_done):
            collected.append(levels)
            if progress is not None:
                progress(rows.stop, manifest.num_rows)
            if rows.stop % manifest.rows_per_shard == 0 or rows.stop == manifest.num_rows:
                manifest = self._write(partial, manifest, collected)
                collected.clear()
                yield manifest

    def _batches(self, first_row: int) -> Iterator[tuple[range, Levels]]:
        starts = range(first_row, len(self.tails), BATCH)
        batches = [range(start, min(start + BATCH, len(self.tails))) for start in starts]
        network = self.backbone.to(self.device).eval()
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for rows, pixels in Prefetch(batches, lambda rows: self._read(rows, threads)):
                with torch.inference_mode():
                    levels = network(normalise(pixels.to(self.device)))
                    yield rows, tuple(self._half(rows, level) for level in levels)

    def _read(self, rows: range, threads: ThreadPoolExecutor) -> UInt8[Tensor, "B S S 3"]:
        tails = [self.tails[row] for row in rows]
        return torch.from_numpy(
            np.stack(read_pixels(self.pictures, tails, self.image_size, threads))
        )

    def _half(self, rows: range, level: Tensor) -> Float16[np.ndarray, "B _ _ _"]:
        halved = level.half()
        bad = ~torch.isfinite(halved).flatten(1).all(1)
        if bad.any():
            row = rows[int(bad.nonzero()[0])]
            raise DataError(
                f"the backbone's features of image row {row} ({self.tails[row]}) are NaN or "
                f"beyond {LARGEST:g}, the largest half float",
                "use trained weights (--weights), or a shallower backbone where there are none",
            )
        return halved.cpu().numpy()

    def _write(self, partial: Path, manifest: Manifest, collected: list[Levels]) -> Manifest:
        levels = [np.concatenate(parts) for parts in zip(*collected, strict=True)]
        path = partial / f"levels-{len(manifest.shards):05d}.arrow"
        first_row = {"first_row": manifest.num_rows_done, "key": manifest.key}
        write_shard(path, levels, {**self.settings, **first_row})
        return manifest.with_shard(describe_shard(path, len(levels[0])))


def _intact(partial: Path, manifest: Manifest) -> Iterator[Shard]:
    """Files up to the first whose bytes are not what was written."""
    for shard in manifest.shards:
        try:
            check_contents(partial, shard)
        except DataError:
            return
        yield shard


def _check_space(folder: Path, manifest: Manifest) -> None:
    num_rows = manifest.num_rows - manifest.num_rows_done
    needed = num_rows * _VALUE_BYTES * sum(spec.num_values for spec in manifest.levels)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"the features need {needed / 1e9:.1f} GB, but {folder.parent} has {free / 1e9:.1f} GB",
            "free some space there, or give another cache folder",
        )
