"""Feature stores of random numbers: how fast they open, and what reading them costs a trial.

Run with the folder of a store, it reads that store as a trial does and prints the memory it took.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from drmn.data.store.arrow_shards import write_shard
from drmn.data.store.features import FeatureStore
from drmn.data.store.manifest import Manifest, describe_shard
from drmn.model.levels import LevelSpec
from drmn.prefetch import Prefetch

LEVELS = tuple(LevelSpec(c, s, s) for c, s in ((64, 6), (128, 6), (256, 6), (512, 3)))
ROWS_PER_SHARD = 512
BATCH = 32
REPEATS = 5


def build_store(folder: Path, num_images: int) -> FeatureStore:
    """Random features through the writer of the real store."""
    folder.mkdir()
    manifest = Manifest(
        settings={"benchmark": 1}, levels=LEVELS, num_rows=num_images, rows_per_shard=ROWS_PER_SHARD
    )
    random = np.random.default_rng(0)
    for first in range(0, num_images, ROWS_PER_SHARD):
        num_rows = min(ROWS_PER_SHARD, num_images - first)
        path = folder / f"levels-{len(manifest.shards):05d}.arrow"
        parts = [random.random((num_rows, *s.shape), dtype=np.float32) for s in LEVELS]
        write_shard(path, [part.astype(np.float16) for part in parts], {})
        manifest = manifest.with_shard(describe_shard(path, num_rows))
    manifest.save(folder)
    return FeatureStore.open(folder)


def opening(folder: Path, size_gb: float) -> dict[str, float]:
    """Milliseconds to open a store of that size and read one batch: its files share bytes.

    The files are hard links to one, so that 10 GB of names cost the disk one file; opening checks
    names and sizes, and reading maps only the files that rows are asked of.
    """
    small = build_store(folder / "one", ROWS_PER_SHARD)
    shard = small.manifest.shards[0]
    num_files = max(1, round(size_gb * 1e9 / shard.size_bytes))
    big = folder / "big"
    big.mkdir()
    names = [f"levels-{index:05d}.arrow" for index in range(num_files)]
    for name in names:
        os.link(small.path / shard.file, big / name)
    manifest = replace(
        small.manifest,
        num_rows=num_files * ROWS_PER_SHARD,
        shards=tuple(replace(shard, file=name) for name in names),
    )
    manifest.save(big)
    times = [timed(lambda: FeatureStore.open(big)) for _ in range(REPEATS)]
    rows = np.random.default_rng(2).integers(0, manifest.num_rows, BATCH)
    first = timed(lambda: FeatureStore.open(big).levels(rows))
    size = num_files * shard.size_bytes / 1e9
    return {
        "size_gb": size,
        "open_ms": 1000 * statistics.median(times),
        "open_and_first_batch_ms": 1000 * first,
    }


def trial_memory(folder: Path, num_images: int) -> dict[str, float]:
    """Memory that reading the whole store adds to each of four processes; the largest of them.

    All four are measured while all four live: before any has opened the store, and after each has
    read every row.
    """
    build_store(folder / "shared", num_images)
    command = [sys.executable, __file__, str(folder / "shared")]
    pipe = subprocess.PIPE
    readers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    before, _, after = ([_step(reader) for reader in readers] for _ in range(3))
    for reader in readers:
        reader.communicate(timeout=60)
    figures = {"store_mb": sum(file.stat().st_size for file in (folder / "shared").iterdir()) / 1e6}
    for name in before[0]:
        added = [new[name] - old[name] for new, old in zip(after, before, strict=True)]
        figures[f"added_{name}_max"] = max(added)
    return figures


def _step(reader: subprocess.Popen[str]) -> dict[str, float]:
    """Let a reader go on to its next report."""
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write("\n")
    reader.stdin.flush()
    return dict(json.loads(reader.stdout.readline()))


def read_as_a_trial(store: Path) -> None:
    """All rows in random batches, read ahead as training does; reports its memory when asked.

    Before it opens the store, when it has read all, and when the others have, too.
    """
    _report()
    opened = FeatureStore.open(store)
    rows = np.random.default_rng(os.getpid()).permutation(len(opened))
    batches = [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]
    for _ in Prefetch(batches, opened.levels):
        pass
    _report()
    _report()
    sys.stdin.read()  # stay until all have reported: pages are shared by the living


def _report() -> None:
    sys.stdin.readline()
    print(json.dumps(_memory()), flush=True)


def _memory() -> dict[str, float]:
    """Megabytes: anonymous and private ones, PSS and RSS.

    RSS counts every page of a mapped file, which all processes share and the kernel may drop; PSS
    divides such a page by the number of processes that map it.
    """
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    kb = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return {
        "anonymous_mb": kb["Anonymous"] / 1024,
        "private_mb": (kb["Private_Clean"] + kb["Private_Dirty"]) / 1024,
        "pss_mb": kb["Pss"] / 1024,
        "rss_mb": kb["Rss"] / 1024,
    }


def timed(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


if __name__ == "__main__":
    read_as_a_trial(Path(sys.argv[1]))
