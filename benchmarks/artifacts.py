"""Upload to an object store: ours (hashed, looked up, compared) against bare boto3.

All send the same random files to the same Swift server on this machine, in turn: boto3 as it is,
boto3 with parts of our size, and ours, which also reads a file for its SHA-256 and asks whether the
store has it, so that a repetition sends nothing.

    python benchmarks/artifacts.py        # prints a table, writes results/artifacts.json
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from measuring import machine

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "servers"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "infra" / "local"))
from swift_server import BUCKET, SwiftServer, serve_swift

from orchestration.artifacts import ArtifactStore

SIZES_MB = (1, 64, 256)
REPEATS = 5
TARGET_RATIO = 0.9
BARE, BARE_PARTS, OURS = "bare_mb_s", "bare_with_our_parts_mb_s", "ours_mb_s"
PART_BYTES = 16 << 20
RESULT = Path(__file__).parent / "results" / "artifacts.json"


def main() -> None:
    """Measure all sizes; those of ``--sizes`` alone, in MB, are a check that writes nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES_MB)
    sizes, before = parser.parse_args().sizes, machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "swift").mkdir()
        with serve_swift(folder / "swift") as server:
            os.environ.update(server.environment)
            rows = [_measure(server, folder, size_mb) for size_mb in sizes]
    heads = ("MB", "bare", "our parts", "ours, MB/s", "ours/bare", "again, s")
    print("".join(f"{head:>12}" for head in heads))
    for row in rows:
        speeds = "".join(f"{row[name]:12.1f}" for name in (BARE, BARE_PARTS, OURS))
        print(f"{row['size_mb']:12}{speeds}{row['ratio']:12.2f}{row['repeated_s']:12.3f}")
    if sizes == SIZES_MB:
        results = {"machine": before, "target_ratio": TARGET_RATIO, "uploads": rows}
        RESULT.write_text(json.dumps(results, indent=1) + "\n")


def _measure(server: SwiftServer, folder: Path, size_mb: int) -> dict[str, float]:
    """Medians; every file is new to the store, so that ours sends it too."""
    client = boto3.client("s3", endpoint_url=server.endpoint)
    parts = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
    store, path = ArtifactStore(server.uri("ours")), folder / "file"
    taken: dict[str, list[float]] = {BARE: [], BARE_PARTS: [], OURS: []}
    for repeat in range(REPEATS + 1):
        path.write_bytes(os.urandom(size_mb * 10**6))
        send = partial(client.upload_file, str(path), BUCKET)
        steps: dict[str, Callable[[], object]] = {
            BARE: partial(send, f"bare/{size_mb}-{repeat}"),
            OURS: partial(store.put, path),
            BARE_PARTS: partial(send, f"parts/{size_mb}-{repeat}", Config=parts),
        }
        for name in sorted(steps, reverse=repeat % 2 == 0):
            taken[name].append(_seconds(steps[name]))
    counted = {name: times[1:] for name, times in taken.items()}  # the first is a warm-up
    pairs = zip(counted[BARE], counted[OURS], strict=True)
    return {
        "size_mb": size_mb,
        **{name: size_mb / statistics.median(times) for name, times in counted.items()},
        "ratio": statistics.median(bare / ours for bare, ours in pairs),
        "repeated_s": _seconds(lambda: store.put(path)),
    }


def _seconds(step: Callable[[], object]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
