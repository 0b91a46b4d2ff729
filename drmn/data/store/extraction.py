"""Computing a feature store: pictures through a frozen backbone, file by file, resumably.

Files are written to ``<key>.partial``, which becomes ``<key>`` when the last one is complete. After
each file the manifest is renewed, so a process that was killed leaves complete files that the
next one checks and keeps. The same rows always share a batch and a file, so a store that was
resumed equals one that was not, bit for bit.
"""

import errno
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from drmn.data.images import ImageSource
from drmn.data.store.arrow_shards import DTYPE, write_shard
from drmn.data.store.manifest import Manifest, Shard, check_contents, describe_shard, load_manifest
from drmn.data.transforms import normalise, read_pixels
from drmn.errors import DataError
from drmn.model.backbone import Backbone
from drmn.model.folding import folded
from drmn.prefetch import Prefetch

SHARD_BYTES = 128 << 20
BATCH = 32  # images at once: more is no faster on a CPU
Progress = Callable[[int, int], None]
Levels = tuple[Float[np.ndarray, "_ _ _ _"], ...]  # the last batch has fewer images


@dataclass(frozen=True, kw_only=True, eq=False)
class Extraction:
    """What is to be computed. ``settings`` go into the manifest and, hashed, make the key."""

    tails: Sequence[str]
    pictures: ImageSource
    backbone: Backbone
    image_size: int
    settings: Mapping[str, object]
    device: str = "cpu"
    dtype: str = DTYPE
    shard_bytes: int = SHARD_BYTES

    def run(
        self, folder: Path, progress: Progress | None = None, runner: "Runner | None" = None
    ) -> None:
        """Compute all levels into ``folder``, which appears when it is complete.

        Args:
            progress: called with the number of images done and their total.
            runner: computes the files that are missing with :meth:`make_file`, in other
                processes; None: here, one after the other.

        Raises:
            DataError: a picture cannot be used. Nothing is left.
            OSError: writing failed, or would for want of space. Complete files are kept for the
                next attempt.
        """
        partial = folder.with_name(f"{folder.name}.partial")
        try:
            manifest = self._resumed(partial)
            _check_space(partial, manifest)
            if runner is None:
                grown = self._files(partial, manifest, progress)
            else:
                grown = self._files_of(runner, partial, manifest, progress)
            for each in grown:
                each.save(partial)
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
        row_bytes = np.dtype(self.dtype).itemsize * sum(spec.num_values for spec in specs)
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

    def _files_of(
        self, runner: "Runner", partial: Path, manifest: Manifest, progress: Progress | None
    ) -> Iterator[Manifest]:
        """The manifest after each file that ``runner`` gives, in the order of rows."""
        starts = range(manifest.num_rows_done, manifest.num_rows, manifest.rows_per_shard)
        for shard in runner(self, partial, starts):
            manifest = manifest.with_shard(shard)
            if progress is not None:
                progress(manifest.num_rows_done, manifest.num_rows)
            yield manifest

    def make_file(self, partial: Path, first_row: int) -> Shard:
        """Compute the one file that begins with ``first_row``."""
        empty = self._empty_manifest()
        stop = min(first_row + empty.rows_per_shard, len(self.tails))
        collected = [levels for _, levels in self._batches(first_row, stop)]
        return self._write_file(
            partial, empty.key, first_row // empty.rows_per_shard, first_row, collected
        )

    def _batches(
        self, first_row: int, stop_row: int | None = None
    ) -> Iterator[tuple[range, Levels]]:
        stop = len(self.tails) if stop_row is None else stop_row
        starts = range(first_row, stop, BATCH)
        batches = [range(start, min(start + BATCH, stop)) for start in starts]
        network = folded(self.backbone).to(self.device)
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for rows, pixels in Prefetch(batches, lambda rows: self._read(rows, threads)):
                with torch.inference_mode():
                    levels = network(normalise(pixels.to(self.device)))
                    kept = tuple(self._kept(rows, level) for level in levels)
                yield rows, kept  # outside: the mode would hold for the caller too

    def _read(self, rows: range, threads: ThreadPoolExecutor) -> UInt8[Tensor, "B S S 3"]:
        tails = [self.tails[row] for row in rows]
        return torch.from_numpy(
            np.stack(read_pixels(self.pictures, tails, self.image_size, threads))
        )

    def _kept(self, rows: range, level: Tensor) -> Float[np.ndarray, "B _ _ _"]:
        kept = level.to(getattr(torch, self.dtype))
        if not all(map(math.isfinite, kept.aminmax())):
            bad = ~torch.isfinite(kept).flatten(1).all(1)
            row = rows[int(bad.nonzero()[0])]
            raise DataError(
                f"the backbone's features of image row {row} ({self.tails[row]}) are NaN or "
                f"beyond {float(np.finfo(self.dtype).max):g}, the largest {self.dtype}",
                "use trained weights (--weights), or a shallower backbone where there are none",
            )
        return kept.cpu().numpy()

    def _write(self, partial: Path, manifest: Manifest, collected: list[Levels]) -> Manifest:
        index, first_row = len(manifest.shards), manifest.num_rows_done
        return manifest.with_shard(
            self._write_file(partial, manifest.key, index, first_row, collected)
        )

    def _write_file(
        self, partial: Path, key: str, index: int, first_row: int, collected: list[Levels]
    ) -> Shard:
        levels = [np.concatenate(parts) for parts in zip(*collected, strict=True)]
        path = partial / f"levels-{index:05d}.arrow"
        write_shard(path, levels, {**self.settings, "first_row": first_row, "key": key})
        return describe_shard(path, len(levels[0]))


Runner = Callable[[Extraction, Path, Sequence[int]], Iterator[Shard]]
"""Given first rows, makes their files, and gives what it made in that order."""


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
    value_bytes = np.dtype(manifest.dtype).itemsize
    needed = num_rows * value_bytes * sum(spec.num_values for spec in manifest.levels)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            errno.ENOSPC, f"{needed / 1e9:.1f} GB are needed, but {free / 1e9:.1f} GB are free"
        )
