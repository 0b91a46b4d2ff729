"""A reader of files, and valid files for the readers below ``drmn/``: data, features, weights."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.io
import torch
from PIL import Image
from tiny_models import model_of, tiny_trainer

from drmn.data.pixels.manifest import PixelManifest, PixelShard
from drmn.data.store.arrow_shards import write_shard
from drmn.data.store.manifest import Manifest, describe_shard
from drmn.data.store.storage import Storage
from drmn.logits import Logits
from drmn.model.levels import LevelSpec

Make = Callable[[Path], Path]
SPECS = (LevelSpec(3, 2, 2), LevelSpec(5, 1, 1))


@dataclass(frozen=True, kw_only=True)
class Reader:
    """``make`` writes a valid file into a folder; ``read`` reads the file at its path.

    ``code`` are the functions of the packages that open or parse it (``file.py:function``). What
    is ``sealed`` is damaged inside its checksum, which anybody can compute.
    """

    name: str
    code: tuple[str, ...]
    make: Make
    read: Callable[[Path], object]
    sealed: bool = False


_TRAINERS: list[Any] = []


def trainer() -> Any:
    """A tiny run, made once."""
    if not _TRAINERS:
        _TRAINERS.append(tiny_trainer())
    return _TRAINERS[0]


def written(name: str, content: bytes | str) -> Make:
    """Makes a file of fixed content."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def picture(kind: str = "PNG") -> bytes:
    """Of 9 x 7 pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (9, 7), (1, 2, 3)).save(buffer, kind)
    return buffer.getvalue()


def mat(folder: Path) -> Path:
    names = np.empty((2, 1), dtype=object)
    names[:, 0] = ["cat", "dog"]
    content = {"att": np.ones((3, 2)), "names": names}
    scipy.io.savemat(folder / "s.mat", content, do_compression=True)
    return folder / "s.mat"


def _state() -> dict[str, torch.Tensor]:
    return {"a.weight": torch.ones(4, 3), "fc.bias": torch.zeros(2)}


def npz(folder: Path) -> Path:
    np.savez_compressed(folder / "w.npz", **{k: v.numpy() for k, v in _state().items()})
    return folder / "w.npz"


def torch_file(*, is_legacy: bool) -> Make:
    def make(folder: Path) -> Path:
        path = folder / "w.pt"
        torch.save(_state(), path, _use_new_zipfile_serialization=not is_legacy)
        return path

    return make


def shard(folder: Path) -> Path:
    write_shard(folder / "s.arrow", [np.ones((4, *s.shape), np.float16) for s in SPECS], {})
    return folder / "s.arrow"


def manifest(folder: Path) -> Path:
    shards = (describe_shard(shard(folder), 4),)
    whole = Manifest(settings={"a": 1}, levels=SPECS, num_rows=4, rows_per_shard=4, shards=shards)
    whole.save(folder)
    return folder / "manifest.json"


def pixels(folder: Path) -> Path:
    """A shard of two prepared pictures of 2 x 2 pixels, and its manifest."""
    columns = [
        pa.array([0, 1], pa.int64()),
        pa.array(["a.png", "b.png"]),
        pa.array([b"\1" * 12] * 2, pa.binary(12)),
    ]
    batch = pa.record_batch(columns, names=["row", "image", "pixels"])
    path = folder / "p.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    described = PixelShard(
        index=0, file="p.arrow", first_row=0, num_rows=2, size_bytes=path.stat().st_size,
        sha256=digest, bad={},
    )  # fmt: skip
    settings: dict[str, object] = {"data_hash": "h", "pictures": "p"}
    settings["transform"] = {"image_size": 2}
    whole = PixelManifest(settings=settings, num_rows=2, rows_per_shard=2)
    whole.with_shard(described).save(Storage(str(folder)))
    return path


def pixel_manifest(folder: Path) -> Path:
    return pixels(folder).with_name("pixels.json")


def archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "images.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("images/a.png", picture())
    return folder / "images.zip"


def table(folder: Path) -> Path:
    for name in ("cat", "dog", "okapi"):
        (folder / "images" / name).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            (folder / "images" / name / f"{number}.jpg").touch()
    return written("attributes.csv", "class,a,b\ncat,1,2\ndog,3,4\nokapi,5,6\n")(folder)


def checkpoint(folder: Path) -> Path:
    trainer().save(folder)
    return next(folder.glob("*.ckpt"))


def model(folder: Path) -> Path:
    model_of(trainer()).save(folder / "model.drmn")
    return folder / "model.drmn"


def logits(folder: Path) -> Path:
    path, o = folder / "logits.parquet", torch.ones(4, 3)
    seen = torch.tensor([True, True, False])
    Logits(o=o, g=o, labels=torch.tensor([0, 1, 2, 0]), seen=seen).save(path)
    return path
