"""A finished sweep's files on their way to a real S3 server, and back."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fault_matrix import Told
from pyarrow import fs
from swift_server import BUCKET

from drmn.errors import ConfigError
from drmn.places import open_place
from orchestration.artifacts import ArtifactStore
from orchestration.publishing import fetch_sweep, publish_sweep

FILES = {
    "result.json": b"{}",
    "ledger.jsonl": b"a line\n" * 50,
    "final/seed-0/epoch-00003.ckpt": b"checkpoint" * 5000,
    "final/seed-0/logits.parquet": b"logits" * 500,
    "final/seed-1/logits.parquet": b"logits" * 500,
}
PART_BYTES = 16 << 20


@dataclass(frozen=True)
class Bucket:
    """The server at the URL ``endpoint``; each attempt has a prefix of its own."""

    endpoint: str

    @property
    def port(self) -> int:
        return urlsplit(self.endpoint).port or 0

    def place(self, folder: Path) -> str:
        address = self.endpoint.removeprefix("http://")
        prefix = folder.name.replace(" ", "-")
        return f"s3://{BUCKET}/{prefix}?scheme=http&endpoint_override={address}"

    def objects(self, folder: Path) -> dict[str, Any]:
        """What lies below :meth:`place`, as pyarrow sees it, by its name there."""
        system, root = open_place(self.place(folder))
        found = system.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
        files = [each for each in found if each.type == fs.FileType.File]
        return {each.path.removeprefix(f"{root}/"): each for each in files}


class Publishing:
    """Published and fetched; two of the files are equal."""

    name = "publish"
    files: Mapping[str, bytes] = FILES

    def __init__(self, endpoint: str) -> None:
        self._bucket = Bucket(endpoint)
        self.port = self._bucket.port

    def prepare(self, folder: Path) -> None:
        for name, data in self.files.items():
            path = folder / "sweep" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def work(self, folder: Path, told: Told) -> None:
        store = ArtifactStore(self._bucket.place(folder))
        assert publish_sweep(folder / "sweep", "s", store) == len(self.files)
        told("published")
        fetch_sweep("s", folder / "copy", store)
        told("fetched")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        """What the index names is there, whole; so is each object under its content's name."""
        store = ArtifactStore(self._bucket.place(folder))
        try:
            fetch_sweep("s", folder / "seen", store)
            assert _content(folder / "seen") == self.files
        except ConfigError:
            assert "published" not in told, "what was published is gone"
        assert set(self._stored(folder)) <= self._digests()
        for digest in self._stored(folder):
            store.get(digest, folder / "object")
        copied = _content(folder / "copy")
        assert copied.items() <= self.files.items(), "a fetched file is not as it was"
        assert "fetched" not in told or copied == self.files

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["published", "fetched"])
        assert sorted(self._stored(folder)) == sorted(self._digests())
        names = {path.relative_to(folder / "copy").as_posix() for path in _files(folder / "copy")}
        assert names == set(self.files), names

    def _stored(self, folder: Path) -> list[str]:
        names = self._bucket.objects(folder)
        return [name.rpartition("/")[2] for name in names if name.startswith("objects/")]

    def _digests(self) -> set[str]:
        return {hashlib.sha256(data).hexdigest() for data in self.files.values()}


class PublishingParts(Publishing):
    """One file, which is uploaded in two parts at once."""

    name = "publish in parts"
    files: Mapping[str, bytes] = {"final/model": bytes(range(256)) * (PART_BYTES // 256 + 4096)}


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _content(folder: Path) -> dict[str, bytes]:
    """Of files under their final names."""
    whole = [path for path in _files(folder) if not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in whole}
