"""Shards of features and of prepared pictures, made file by file and taken up after a death."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fault_matrix import Told
from PIL import Image
from tiny_models import tiny_dataset
from torch import Tensor, nn
from torch.nn import functional

from drmn.data.pixels.preparation import prepare
from drmn.data.store.extraction import Extraction
from drmn.data.store.features import FeatureStore
from drmn.data.store.given_features import _write as write_given
from drmn.data.store.manifest import file_sha256
from drmn.data.store.storage import Storage
from drmn.model.levels import LevelSpec

SIZE = 16


class Pictures:
    """One flat colour per image, a little bluer for a larger ``shade``."""

    location = Path("tiny")

    def __init__(self, shade: int = 9) -> None:
        self._shade = shade

    def has(self, tail: str) -> bool:
        return True

    def fingerprint(self, tails: Sequence[str]) -> str:
        return "f" * 16

    def open_image(self, tail: str) -> Image.Image:
        return Image.new("RGB", (SIZE, SIZE), (int(Path(tail).stem), 9, self._shade))


class Means(nn.Module):
    """Stands in for a backbone: a level is the picture, averaged."""

    def specs(self, image_size: int) -> tuple[LevelSpec, ...]:
        return (LevelSpec(3, 2, 2),)

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return (functional.adaptive_avg_pool2d(pixels, 2).permute(0, 2, 3, 1),)


class Features:
    """A feature store of two shards."""

    name, port = "feature shards", 0

    def prepare(self, folder: Path) -> None:
        pass

    def work(self, folder: Path, told: Told) -> None:
        if not (folder / "store").is_dir():
            extraction().run(folder / "store")
        told("store")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        if told or (folder / "store").is_dir():
            store = FeatureStore.open(folder / "store")
            store.verify()
            (level,) = store.levels(np.arange(len(store)))
            assert torch.equal(level, self._expected()), "other features"

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["store"])
        assert [path.name for path in folder.iterdir()] == ["store"]
        names = {path.name for path in (folder / "store").iterdir()}
        assert names == {"manifest.json", "levels-00000.arrow", "levels-00001.arrow"}, names

    def _expected(self) -> Tensor:
        found = [levels[0] for _, levels in extraction()._batches(0)]
        return torch.from_numpy(np.concatenate(found)).float()


def extraction(shade: int = 9) -> Extraction:
    """Of two shards; with another shade, of other bytes but the same sizes."""
    backbone: Any = Means()
    return Extraction(
        tails=tiny_dataset().image_paths,
        pictures=Pictures(shade),
        backbone=backbone,
        image_size=SIZE,
        settings={"test": shade},
        shard_bytes=1,
    )


class GivenFeatures:
    """A feature store of the features that came with the splits."""

    name, port = "given features", 0

    def prepare(self, folder: Path) -> None:
        pass

    def work(self, folder: Path, told: Told) -> None:
        rows = np.random.default_rng(0).random((20, 8))
        if not (folder / "store").is_dir():
            write_given(folder / "store", rows, {"version": 1, "dtype": "float16"})
        told("store")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        if told or (folder / "store").is_dir():
            FeatureStore.open(folder / "store").verify()

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["store"])
        assert [path.name for path in folder.iterdir()] == ["store"]


class Pixels:
    """Prepared pictures, three shards."""

    name, port = "picture shards", 0

    def prepare(self, folder: Path) -> None:
        pass

    def work(self, folder: Path, told: Told) -> None:
        row_bytes = SIZE * SIZE * 3
        place = Storage(str(folder / "pixels"))
        prepare(tiny_dataset(), Pictures(), SIZE, place, shard_bytes=20 * row_bytes)
        told("pixels")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        if told:
            found = prepare(
                tiny_dataset(),
                Pictures(),
                SIZE,
                Storage(str(folder / "pixels")),
                shard_bytes=20 * SIZE * SIZE * 3,
                runner=lambda *_: iter(()),
            )
            assert found.num_done == found.num_rows

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["pixels"])
        files = sorted((folder / "pixels").glob("*.arrow"))
        assert len(files) == 3
        assert len({file_sha256(path) for path in files}) == 3
        names = [path.name for path in (folder / "pixels").iterdir()]
        assert not [name for name in names if name.startswith(".")], names
