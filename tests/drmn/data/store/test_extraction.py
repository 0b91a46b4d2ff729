"""What an extraction leaves behind when it cannot end."""

import os
import shutil
import signal
from collections import namedtuple
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch
from counted_pictures import extract_slowly

from drmn import vision
from drmn.config import BackboneConfig
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.images import images
from drmn.data.store.extraction import Extraction
from drmn.data.store.features import FeatureStore
from drmn.data.store.making import ensure_features
from drmn.errors import DataError
from drmn.model.backbone import build_backbone

BACKBONE = BackboneConfig(name="resnet18")
SIZE = 32


@pytest.fixture
def dataset(make_tiny: Any, tmp_path: Path) -> Dataset:
    """Seventy-two images: three batches. torchvision's import is not a test's to pay for."""
    vision.new_network(BACKBONE.name)
    layout = make_tiny(tmp_path / "TINY", per_class=12)
    layout.draw()
    return load_dataset("tiny", layout.write())


def _extraction(dataset: Dataset) -> Extraction:
    return Extraction(
        tails=dataset.image_paths,
        pictures=images(dataset),
        backbone=build_backbone(BACKBONE),
        image_size=SIZE,
        settings={"test": 1},
        shard_bytes=1,
    )


def _left(cache: Path) -> list[str]:
    return sorted(path.suffix for path in (cache / "features").iterdir())


def test_a_broken_picture_leaves_nothing(dataset: Dataset, tmp_path: Path) -> None:
    broken = dataset.root / "images" / dataset.image_paths[70]
    broken.write_bytes(broken.read_bytes()[:40])
    with pytest.raises(DataError, match=rf"{dataset.image_paths[70]}.*row 70"):
        ensure_features(dataset, BACKBONE, SIZE, tmp_path / "cache")
    assert _left(tmp_path / "cache") == [".lock"]


def test_progress_counts_images_and_sees_no_inference_mode(
    dataset: Dataset, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        assert not torch.is_inference_mode_enabled()
        seen.append((done, total))

    ensure_features(dataset, BACKBONE, SIZE, tmp_path, progress)
    assert seen == [(32, 72), (64, 72), (72, 72)]
    ensure_features(dataset, BACKBONE, SIZE, tmp_path, progress)
    assert len(seen) == 3


def test_features_beyond_half_floats_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    work = _extraction(dataset)
    torch.nn.init.constant_(work.backbone.stem[1].weight, 1e9)
    with pytest.raises(DataError, match=r"row 0 .*beyond 65504, the largest float16"):
        work.run(tmp_path / "store")
    assert not list(tmp_path.glob("store*"))


def test_a_full_disk_is_noticed_first(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage(10, 9, 1))
    with pytest.raises(DataError, match=r"0\.0 GB are needed, but 0\.0 GB are free") as raised:
        ensure_features(dataset, BACKBONE, SIZE, tmp_path)
    assert "another cache folder" in raised.value.remedy


def test_an_unwritable_cache_is_named(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "features").write_text("a file in the folder's place")
    with pytest.raises(DataError, match=f"cannot be written to {tmp_path}"):
        ensure_features(dataset, BACKBONE, SIZE, tmp_path)


@pytest.mark.slow
def test_a_killed_process_leaves_files_that_the_next_one_keeps(
    dataset: Dataset, tmp_path: Path
) -> None:
    spawn = get_context("spawn")
    paused = spawn.Event()
    process = spawn.Process(target=extract_slowly, args=(_extraction(dataset), tmp_path, paused))
    process.start()
    assert paused.wait(timeout=50)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert [path.name for path in tmp_path.glob("store*")] == ["store.partial"]
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("store.partial/*.arrow")}
    assert len(kept) == 2
    done: list[int] = []
    _extraction(dataset).run(tmp_path / "store", lambda count, _total: done.append(count))
    assert done == [72]
    for path, written in kept.items():
        assert (tmp_path / "store" / path.name).stat().st_mtime_ns == written
    FeatureStore.open(tmp_path / "store").verify()
