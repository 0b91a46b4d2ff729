"""Pictures decoded and resized once: Arrow shards of square pixels, on a disk or in a store.

Shards are independent of each other, so any number of processes may make them; whoever drives
them renews the manifest after each. A run that was killed leaves whole shards: the next one
compares their bytes with their hashes and makes only those that are missing. Pictures that cannot
be read are quarantined: black in their shard, and listed in quarantine.json and exclude.txt.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pyarrow as pa

from drmn.data import transforms
from drmn.data.dataset import Dataset
from drmn.data.images import ImageSource
from drmn.data.pixels.manifest import (
    QUARANTINE_FILE,
    PixelManifest,
    PixelShard,
    load_pixel_manifest,
    write_report,
)
from drmn.data.store.storage import Storage
from drmn.errors import DataError

VERSION = 2
SHARD_BYTES = 64 << 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class PixelJob:
    """What one shard is to hold: ``tails`` of the rows from ``first_row`` on."""

    index: int
    first_row: int
    tails: tuple[str, ...]
    image_size: int


Runner = Callable[[ImageSource, Storage, Sequence[PixelJob]], Iterator[PixelShard]]


def prepare(
    dataset: Dataset,
    source: ImageSource,
    image_size: int,
    storage: Storage,
    *,
    max_bad: int = 0,
    progress: Progress | None = None,
    runner: Runner | None = None,
    shard_bytes: int = SHARD_BYTES,
) -> PixelManifest:
    """Make the shards that are not there yet, and the report of what was quarantined.

    Args:
        max_bad: so many unreadable pictures are put up with.
        progress: called with the number of pictures done and their total.
        runner: makes shards, in any order; None: all cores of this machine.

    Raises:
        DataError: too many pictures are unreadable (whole shards and the report are kept), the
            place holds other pixels, or cannot be written to.
    """
    pictures = source.fingerprint(dataset.image_paths)
    manifest = _resumed(storage, _empty(dataset, pictures, image_size, shard_bytes))
    done = {shard.index for shard in manifest.shards}
    jobs = [job for job in _jobs(dataset, manifest, image_size) if job.index not in done]
    _check_bad(manifest, storage, max_bad)
    for shard in (runner or run_here)(source, storage, jobs):
        manifest = manifest.with_shard(shard)
        manifest.save(storage)
        _check_bad(manifest, storage, max_bad)
        if progress is not None:
            progress(manifest.num_done, manifest.num_rows)
    write_report(manifest, storage)
    return manifest


def run_here(
    source: ImageSource, storage: Storage, jobs: Sequence[PixelJob]
) -> Iterator[PixelShard]:
    """One shard after the other, the pictures of each on all cores."""
    for job in jobs:
        yield make_shard(source, storage, job)


def make_shard(
    source: ImageSource, storage: Storage, job: PixelJob, num_threads: int | None = None
) -> PixelShard:
    """Decode, resize and write one shard; None: a thread per core."""
    bad: dict[str, str] = {}
    with ThreadPoolExecutor(num_threads or os.cpu_count()) as threads:
        results = list(threads.map(lambda tail: _pixels(source, tail, job.image_size), job.tails))
    for tail, result in zip(job.tails, results, strict=True):
        if isinstance(result, DataError):
            bad[tail] = result.message
    black = bytes(job.image_size * job.image_size * 3)
    data = _arrow_file(job, [black if isinstance(each, DataError) else each for each in results])
    file = f"pixels-{job.index:05d}.arrow"
    storage.write(file, data)
    return PixelShard(
        index=job.index,
        file=file,
        first_row=job.first_row,
        num_rows=len(job.tails),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        bad=bad,
    )


def _pixels(source: ImageSource, tail: str, image_size: int) -> bytes | DataError:
    try:
        return transforms.square_pixels(source.open_image(tail), image_size).tobytes()
    except DataError as error:
        return error


def _arrow_file(job: PixelJob, pixels: list[bytes]) -> memoryview:
    size = job.image_size
    rows = pa.array(range(job.first_row, job.first_row + len(pixels)), pa.int64())
    columns = [rows, pa.array(job.tails), pa.array(pixels, pa.binary(size * size * 3))]
    layout = {"drmn.pixels": json.dumps({"shape": [size, size, 3], "order": "RGB, channels last"})}
    batch = pa.record_batch(columns, names=["row", "image", "pixels"]).replace_schema_metadata(
        layout
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return memoryview(sink.getvalue())


def _empty(dataset: Dataset, pictures: str, image_size: int, shard_bytes: int) -> PixelManifest:
    return PixelManifest(
        settings={
            "version": VERSION,
            "data_hash": dataset.data_hash,
            "pictures": pictures,
            "transform": transforms.describe(image_size),
        },
        num_rows=len(dataset.image_paths),
        rows_per_shard=max(1, shard_bytes // (image_size * image_size * 3)),
    )


def _jobs(dataset: Dataset, manifest: PixelManifest, image_size: int) -> Iterator[PixelJob]:
    step = manifest.rows_per_shard
    for index, first in enumerate(range(0, manifest.num_rows, step)):
        tails = dataset.image_paths[first : first + step]
        yield PixelJob(index=index, first_row=first, tails=tails, image_size=image_size)


def _resumed(storage: Storage, empty: PixelManifest) -> PixelManifest:
    """The shards of an earlier attempt whose bytes are what was written."""
    found = load_pixel_manifest(storage)
    if found is None:
        return empty
    if found.settings != empty.settings:
        raise DataError(
            f"{storage.shown} holds pixels of other pictures or another size",
            "give another --out, or remove what is there",
        )
    return replace(found, shards=tuple(shard for shard in found.shards if _intact(storage, shard)))


def _intact(storage: Storage, shard: PixelShard) -> bool:
    data = storage.read(shard.file)
    return data is not None and hashlib.sha256(data).hexdigest() == shard.sha256


def _check_bad(manifest: PixelManifest, storage: Storage, max_bad: int) -> None:
    if len(manifest.bad) > max_bad:
        write_report(manifest, storage)
        tail, reason = next(iter(manifest.bad.items()))
        raise DataError(
            f"{len(manifest.bad)} pictures are unreadable, but --max-bad allows {max_bad}; the "
            f"first is {tail}: {reason}",
            f"see {QUARANTINE_FILE} in {storage.shown}; replace them, or raise --max-bad",
        )
