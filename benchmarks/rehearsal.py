"""Are CUB, SUN and AwA2 really processed at full size? Tiny pictures at every one of their paths.

The photographs cannot be had everywhere, but their paths, labels and splits can: a small rendered
JPEG is put at each path, and every step runs as a user types it, in a process of its own, whose
time and peak memory are measured. Prints a table and writes JSON. ``--images N`` keeps only the
first N pictures of each class (with a split cut to match) for a quick check.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.io
from measuring import machine
from PIL import Image

from drmn.data.dataset import Dataset, load_dataset

RESULTS = Path(__file__).resolve().parent / "results" / "rehearsal.json"
SHARED = Path(os.environ.get("DRMN_SHARED_DATA", "../shared/data"))
DATASETS = ("cub", "sun", "awa2")
STEPS = ("check", "prepare", "features", "sweep")
IMAGE_SIZE = 64  # pixels
PICTURE = 48  # pixels of a rendered JPEG

_SWEEP = ("--trials", "2", "--epochs", "1", "--variant", "baseline", "--name", "rehearsal")
_SWEEP += ("--grace-period", "1")
_SWEEP += ("--set", "training.steps_per_epoch=2", "--set", "model.fusion.channels=32")
_BACKBONE = ("--backbone", "resnet18", "--weights", "none", "--image-size", str(IMAGE_SIZE))


def steps(name: str, root: Path) -> dict[str, list[str]]:
    """The commands, in the order of use."""
    given = ["--dataset", name, "--data-root", str(root)]
    pixels = str(root / "pixels")
    size = ["--image-size", str(IMAGE_SIZE)]
    return {
        "check": ["drmn", "data", "check", *given],
        "prepare": ["drmn", "data", "prepare", *given, *size, "--out", pixels],
        "features": ["drmn", "data", "features", *given, *_BACKBONE, "--prepared", pixels],
        "sweep": ["drmn-sweep", *given, *_BACKBONE, *_SWEEP],
    }


def rehearse(
    name: str, data_root: Path, images_per_class: int | None, chosen: Sequence[str]
) -> dict[str, object]:
    """Seconds and peak megabytes of each step."""
    dataset = load_dataset(name, data_root)
    with tempfile.TemporaryDirectory(prefix="drmn-rehearsal-") as scratch:
        root = Path(scratch)
        num_images = lay_out(dataset, root / dataset.root.name, images_per_class)
        result: dict[str, object] = {"images": num_images}
        commands = steps(name if images_per_class is None else "part", root)
        for step in chosen:
            command = commands[step]
            result[step] = figures = run(command, root)
            print(f"{name:6}{step:10}{figures['seconds']:9.1f} s{figures['peak_mb']:8.0f} MB")
            if figures["exit_code"] > (step == "check"):  # 1: findings, a split of no version
                raise SystemExit(f"{step} of {name} ended with {figures['exit_code']}")
    return result


def lay_out(dataset: Dataset, folder: Path, images_per_class: int | None) -> int:
    """The two files and a picture at every path; or, cut short, a data set called part."""
    if images_per_class is not None:
        folder = folder.with_name("part")
    folder.mkdir()
    kept = _first_of_each_class(dataset, images_per_class)
    if images_per_class is None:
        for file in dataset.root.iterdir():
            (folder / file.name).symlink_to(file.resolve())
    else:
        _write_part(dataset, folder, kept)
    for row in kept:
        path = folder / "images" / dataset.image_paths[row]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(int(dataset.labels[row]), int(row)))
    return len(kept)


def picture(label: int, row: int) -> bytes:
    """A JPEG whose broad pattern is its class's and whose grain is its own."""
    broad = np.random.default_rng(label).integers(0, 200, (4, 4, 3), dtype=np.uint8)
    grain = np.random.default_rng([row, 1]).integers(0, 56, (PICTURE, PICTURE, 1), dtype=np.uint8)
    pixels = np.kron(broad, np.ones((PICTURE // 4, PICTURE // 4, 1), dtype=np.uint8)) + grain
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=85)
    return data.getvalue()


def run(command: list[str], home: Path) -> dict[str, float]:
    """One command, started as a user would; its peak is that of its main process."""
    binary = Path(sys.executable).parent / command[0]
    environ = {**os.environ, "DRMN_HOME": str(home / "home"), "COLUMNS": "160"}
    started = time.perf_counter()
    with (home / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [str(binary), *command[1:]], env=environ, stdout=log, stderr=log, cwd=home
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    exit_code = os.waitstatus_to_exitcode(status)
    if exit_code > 1:
        print((home / "log.txt").read_text()[-3000:])
    return {"seconds": seconds, "peak_mb": usage.ru_maxrss / 1024, "exit_code": exit_code}


def _first_of_each_class(dataset: Dataset, num: int | None) -> np.ndarray:
    if num is None:
        return np.arange(len(dataset.labels))
    parts = (dataset.trainval, dataset.test_seen, dataset.test_unseen)
    chosen = []
    for part in parts:
        labels = dataset.labels[part]
        chosen += [part[labels == label][:num] for label in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def _write_part(dataset: Dataset, folder: Path, kept: np.ndarray) -> None:
    splits: dict[str, object] = {
        f"{name}_loc": 1 + np.flatnonzero(np.isin(kept, getattr(dataset, name)))[:, None]
        for name in ("trainval", "test_seen", "test_unseen")
    }
    splits |= {"att": dataset.attributes.T, "allclasses_names": _cells(dataset.class_names)}
    paths = _cells([f"/images/{dataset.image_paths[row]}" for row in kept])
    rows = {"image_files": paths, "labels": dataset.labels[kept][:, None] + 1.0}
    scipy.io.savemat(folder / "att_splits.mat", splits)
    scipy.io.savemat(folder / "res101.mat", rows)
    text = "".join(f"{name}\n" for name in dataset.attribute_names)
    (folder / "attributes.txt").write_text(text)


def _cells(texts: object) -> np.ndarray:
    values = list(texts)  # type: ignore[call-overload]
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = values
    return column


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", nargs="+", default=DATASETS, choices=DATASETS)
    parser.add_argument("--data-root", type=Path, default=SHARED / "xlsa17")
    parser.add_argument("--images", type=int, help="of each class and split; nothing is written")
    parser.add_argument("--steps", nargs="+", default=STEPS, choices=STEPS)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    results = {
        name: rehearse(name, arguments.data_root, arguments.images, arguments.steps)
        for name in arguments.datasets
    }
    if arguments.images is None:
        known = json.loads(arguments.output.read_text()) if arguments.output.is_file() else {}
        datasets = {**known.get("datasets", {}), **results}
        content = {"machine": machine(), "image_size": IMAGE_SIZE, "datasets": datasets}
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
