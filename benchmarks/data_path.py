"""Does the loader ever wait? Share of training time spent waiting for the feature store.

A store of random features is written as the real one is, then a trainer runs two epochs on it:
the first with the store's pages driven out of memory (read from disk), the second with them in
it. Cases differ in how much is read per second of computing; the hardest are those with the least
to compute. Prints a table and writes JSON. ``--quick`` is a check of a few seconds.
"""

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from measuring import machine

from drmn import names
from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.data.splits import Partition, Split
from drmn.data.store.arrow_shards import write_shard
from drmn.data.store.features import FeatureStore
from drmn.data.store.manifest import Manifest, describe_shard
from drmn.model.levels import LevelSpec
from drmn.training import Trainer
from drmn.variants import BASELINE, ENSEMBLE

RESULTS = Path(__file__).resolve().parent / "results" / "data_path.json"
ROWS_PER_SHARD = 64


@dataclass(frozen=True, kw_only=True)
class Case:
    """A data set's shapes and a recipe; ``num_images`` bounds the disk space."""

    name: str
    specs: tuple[LevelSpec, ...]
    num_classes: int
    num_attributes: int
    num_images: int
    num_steps: int
    overrides: dict[str, Scalar]


_RESNET18_96 = tuple(LevelSpec(c, s, s) for c, s in ((64, 6), (128, 6), (256, 6), (512, 3)))
_DENSENET169_96 = tuple(LevelSpec(c, s, s) for c, s in ((256, 6), (512, 6), (1280, 6), (1664, 3)))
_RESNET101_224 = tuple(LevelSpec(c, s, s) for c, s in ((256, 14), (512, 14), (1024, 14), (2048, 7)))

CASES = (
    Case(
        name="sprites, 96 px, full model",
        specs=_RESNET18_96,
        num_classes=40,
        num_attributes=24,
        num_images=2048,
        num_steps=30,
        overrides={**ENSEMBLE.overrides, "model.fusion.channels": 128},
    ),
    Case(
        name="sprites, 96 px, baseline row",
        specs=_RESNET18_96,
        num_classes=40,
        num_attributes=24,
        num_images=2048,
        num_steps=60,
        overrides={**BASELINE.overrides, "model.fusion.channels": 128},
    ),
    Case(
        name="CIFAR-AwA2, 96 px, full model",
        specs=_DENSENET169_96,
        num_classes=20,
        num_attributes=85,
        num_images=1024,
        num_steps=10,
        overrides={**ENSEMBLE.overrides, "model.fusion.channels": 256},
    ),
    Case(
        name="CUB, 224 px, without SIT",
        specs=_RESNET101_224,
        num_classes=200,
        num_attributes=312,
        num_images=1024,
        num_steps=8,
        overrides={**ENSEMBLE.overrides, "model.sit.enabled": False, "model.sit.heads": 8},
    ),
)


def measure(case: Case, folder: Path, device: torch.device) -> dict[str, float]:
    """Shares of waiting and seconds per step, with a cold and a warm page cache."""
    build_store(case, folder)
    config = Config().with_overrides(
        {**case.overrides, "training.steps_per_epoch": case.num_steps, "training.epochs": 2}
    )
    drive_out(folder)
    store = FeatureStore.open(folder)
    trainer = Trainer(config, build_split(case), store, device)
    cold, warm = (trainer.train_epoch(evaluate=False).metrics for _ in range(2))
    batch_mb = config.training.batch_size * sum(spec.num_values for spec in case.specs) * 2 / 1e6
    return {
        "wait_share_cold": cold[names.TIME_DATA_WAIT_SHARE],
        "wait_share_warm": warm[names.TIME_DATA_WAIT_SHARE],
        "step_s_cold": cold[names.TIME_EPOCH_S] / case.num_steps,
        "step_s_warm": warm[names.TIME_EPOCH_S] / case.num_steps,
        "read_s_warm": seconds_per_read(store, case, config.training.batch_size),
        "batch_mb": batch_mb,
    }


def build_store(case: Case, folder: Path) -> None:
    """A complete store of random features, through the writer of the real one."""
    random = np.random.default_rng(0)
    manifest = Manifest(
        settings={"benchmark": case.name},
        levels=case.specs,
        num_rows=case.num_images,
        rows_per_shard=ROWS_PER_SHARD,
    )
    for shard in range(case.num_images // ROWS_PER_SHARD):
        path = folder / f"levels-{shard:05d}.arrow"
        levels = [
            random.random((ROWS_PER_SHARD, *spec.shape), dtype=np.float32).astype(np.float16)
            for spec in case.specs
        ]
        write_shard(path, levels, {})
        manifest = manifest.with_shard(describe_shard(path, ROWS_PER_SHARD))
    manifest.save(folder)


def build_split(case: Case) -> Split:
    """Every image but two trains; the last class is unseen."""
    rows = np.arange(case.num_images)
    labels = rows % (case.num_classes - 1)
    labels[-1] = case.num_classes - 1
    train, seen, unseen = np.split(rows, [case.num_images - 2, case.num_images - 1])
    parts = [Partition(rows=part, labels=labels[part]) for part in (train, seen, unseen)]
    shape = (case.num_classes, case.num_attributes)
    return Split(
        protocol="validation",
        class_ids=np.arange(case.num_classes),
        class_names=tuple(map(str, range(case.num_classes))),
        attributes=np.random.default_rng(0).random(shape, dtype=np.float32),
        seen=np.arange(case.num_classes) < case.num_classes - 1,
        train=parts[0],
        eval_seen=parts[1],
        eval_unseen=parts[2],
        hash="0" * 16,
    )


def drive_out(folder: Path) -> None:
    """Ask the kernel to forget the files' pages, so that the next read is from disk."""
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def seconds_per_read(store: FeatureStore, case: Case, batch_size: int) -> float:
    """What one batch costs the reading thread, pages in memory."""
    random = np.random.default_rng(0)
    start = time.perf_counter()
    for _ in range(10):
        store.levels(random.integers(0, case.num_images, batch_size))
    return (time.perf_counter() - start) / 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smallest case, nothing written")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = {}
    print(f"{'case':34}{'wait cold':>11}{'wait warm':>11}{'step':>10}{'read':>10}{'batch':>10}")
    for case in CASES[:1] if arguments.quick else CASES:
        with tempfile.TemporaryDirectory(prefix="drmn-data-path-") as folder:
            rows[case.name] = row = measure(case, Path(folder), device)
        shares = f"{row['wait_share_cold']:>11.2%}{row['wait_share_warm']:>11.2%}"
        times = f"{row['step_s_warm']:>8.3f} s{row['read_s_warm']:>8.3f} s"
        print(f"{case.name:34}{shares}{times}{row['batch_mb']:>7.1f} MB")
    if not arguments.quick:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        result = {"machine": machine(), "device": str(device), "cases": rows}
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
