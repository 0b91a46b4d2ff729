"""Is the data path fast enough? Extraction, reading at random, opening, memory of four trials.

Each is compared with what people use instead: a plain torchvision DataLoader loop with the same
network, ``numpy.memmap`` of the same bytes, and uncompressed h5py as common code reads it (row by
row). Prints a table and writes JSON. ``--quick`` is a check of a minute.
"""

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import torch
from measuring import machine
from PIL import Image
from stores import BATCH, LEVELS, REPEATS, build_store, opening, timed, trial_memory
from torch.utils.data import DataLoader, Dataset

from drmn.config import BackboneConfig
from drmn.data.image_files import ImageFolder
from drmn.data.store.extraction import Extraction
from drmn.data.transforms import normalise, square_pixels
from drmn.model.backbone import build_backbone
from drmn.model.levels import LevelSpec

RESULTS = Path(__file__).resolve().parent / "results" / "data.json"
IMAGE_SIZE = 96
SOURCE_SIZE = 320  # pixels of a JPEG that is decoded


class Pictures(Dataset[torch.Tensor]):
    """What a plain script does: open, resize, normalise."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        with Image.open(self._paths[row]) as image:
            pixels = square_pixels(image.convert("RGB"), IMAGE_SIZE).copy()
        return normalise(torch.from_numpy(pixels)[None])[0]


def extraction(folder: Path, num_images: int) -> dict[str, float]:
    """Images per second: decoding alone, our extraction, and a DataLoader with the same network.

    Both compute with as many threads; ours decodes on a thread per core, the loader in a process
    per core. CPU seconds per image, children's too, are less moved by other load than the clock.
    """
    tails = [f"{row}.jpg" for row in range(num_images)]
    random = np.random.default_rng(0)
    for tail in tails:
        broad = random.integers(0, 255, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(broad).resize((SOURCE_SIZE, SOURCE_SIZE)).save(folder / tail, quality=90)
    backbone = build_backbone(BackboneConfig(name="resnet18")).eval()
    work = Extraction(
        tails=tails,
        pictures=ImageFolder(folder, {tail: row for row, tail in enumerate(tails)}),
        backbone=backbone,
        image_size=IMAGE_SIZE,
        settings={"benchmark": 0},
    )
    ours, theirs, decoding, our_cpu, their_cpu = [], [], [], [], []
    for repeat in range(REPEATS):
        start = _cpu_s()
        ours.append(timed(lambda: work.run(folder / f"store{repeat}")))  # noqa: B023
        middle = _cpu_s()
        theirs.append(timed(lambda: _by_loader(folder, tails, backbone)))
        our_cpu.append(middle - start)
        their_cpu.append(_cpu_s() - middle)
        decoding.append(timed(lambda: _decode_all(work)))
    ratio = statistics.median(t / o for o, t in zip(ours, theirs, strict=True))
    return {
        "num_compute_threads": torch.get_num_threads(),
        "ours_cpu_ms_per_image": 1000 * statistics.median(our_cpu) / num_images,
        "loader_cpu_ms_per_image": 1000 * statistics.median(their_cpu) / num_images,
        "ours_images_per_s": num_images / statistics.median(ours),
        "loader_images_per_s": num_images / statistics.median(theirs),
        "decoding_images_per_s": num_images / statistics.median(decoding),
        "reader_share": statistics.median(decoding) / statistics.median(ours),
        "ours_to_loader": ratio,
    }


def _by_loader(folder: Path, tails: Sequence[str], backbone: torch.nn.Module) -> None:
    loader = DataLoader(
        Pictures([folder / tail for tail in tails]),
        batch_size=BATCH,
        num_workers=os.cpu_count() or 1,
    )
    with torch.inference_mode():
        kept = [[level.half().numpy() for level in backbone(batch)] for batch in loader]
    np.savez(folder / "loader.npz", *[np.concatenate(parts) for parts in zip(*kept, strict=True)])


def _cpu_s() -> float:
    """Of this process and of those it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _decode_all(work: Extraction) -> None:
    tails = list(work.tails)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(
            threads.map(
                lambda tail: square_pixels(work.pictures.open_image(tail), IMAGE_SIZE), tails
            )
        )


def random_reads(folder: Path, num_images: int) -> dict[str, float]:
    """Milliseconds per random batch, as float32 tensors, from the store, a memmap and h5py.

    One thread each: reading runs beside training, which wants the others.
    """
    torch.set_num_threads(1)
    store = build_store(folder / "store", num_images)
    arrays = {f"l{i}": _memmap(folder, i, num_images, spec) for i, spec in enumerate(LEVELS, 1)}
    h5 = folder / "features.h5"
    with h5py.File(h5, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, chunks=(1, *array.shape[1:]))
    random = np.random.default_rng(1)
    batches = [random.integers(0, num_images, BATCH) for _ in range(50)]

    def from_memmap(rows: np.ndarray) -> list[torch.Tensor]:
        return [torch.from_numpy(array[rows]).float() for array in arrays.values()]

    with h5py.File(h5, "r") as file:

        def from_h5(rows: np.ndarray) -> list[torch.Tensor]:
            """h5py wants sorted, distinct rows: one read per row, as peers do in __getitem__."""
            return [
                torch.from_numpy(np.stack([file[name][row] for row in rows])).float()
                for name in arrays
            ]

        readers: dict[str, Callable[[np.ndarray], object]] = {
            "store": store.levels,
            "memmap": from_memmap,
            "h5py": from_h5,
        }
        runs: dict[str, list[float]] = {name: [] for name in readers}
        for _ in range(REPEATS):
            for name, read in readers.items():
                taken = timed(lambda: [read(rows) for rows in batches])  # noqa: B023
                runs[name].append(taken / len(batches))
    pairs = {
        name: statistics.median(
            other / own for own, other in zip(runs["store"], runs[name], strict=True)
        )
        for name in ("memmap", "h5py")
    }
    medians = {f"{name}_ms": 1000 * statistics.median(times) for name, times in runs.items()}
    return {**medians, "store_to_memmap": pairs["memmap"], "store_to_h5py": pairs["h5py"]}


def _memmap(folder: Path, number: int, num_images: int, spec: LevelSpec) -> np.ndarray:
    path, shape = folder / f"l{number}.bin", (num_images, *spec.shape)
    written = np.memmap(path, np.float16, "w+", shape=shape)
    written[:] = np.random.default_rng(number).random(shape, dtype=np.float32)
    written.flush()
    return np.memmap(path, np.float16, "r", shape=shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, nothing written")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    num_images, num_rows, size_gb = (64, 1024, 0.5) if arguments.quick else (512, 8192, 10.0)
    measures: dict[str, Callable[[Path], dict[str, float]]] = {
        "extraction": lambda folder: extraction(folder, num_images),
        "random_reads": lambda folder: random_reads(folder, num_rows),
        "opening": lambda folder: opening(folder, size_gb),
        "trial_memory": lambda folder: trial_memory(folder, num_rows),
    }
    results = {}
    for name, measure in measures.items():
        with tempfile.TemporaryDirectory(prefix="drmn-data-") as folder:
            results[name] = measure(Path(folder))
        for figure, value in results[name].items():
            print(f"{name:14}{figure:28}{value:12.2f}")
    if not arguments.quick:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        content = {"machine": machine(), **results}
        arguments.output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
