"""The table of contents of a feature store: what was computed, from what, and each file's hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from drmn.atomic import replacing
from drmn.data.store.arrow_shards import DTYPE, DTYPES, damaged
from drmn.model.levels import LevelSpec
from drmn.reading import FAULTS, file_name, shortened
from drmn.reading import sha256 as checked_sha256

MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Shard:
    """One Arrow file; it holds the ``num_rows`` rows that follow those of the file before it."""

    file: str
    num_rows: int
    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """``settings`` is all that the features depend on; ``key`` is its hash, the store's name."""

    settings: Mapping[str, object]
    levels: tuple[LevelSpec, ...]
    num_rows: int
    rows_per_shard: int
    shards: tuple[Shard, ...] = ()

    @property
    def key(self) -> str:
        return settings_key(self.settings)

    @property
    def dtype(self) -> str:
        """Of every value: float16 or float32."""
        return str(self.settings.get("dtype", DTYPE))

    @property
    def num_rows_done(self) -> int:
        return sum(shard.num_rows for shard in self.shards)

    def with_shard(self, shard: Shard) -> "Manifest":
        return replace(self, shards=(*self.shards, shard))

    def save(self, folder: Path) -> None:
        """Write ``manifest.json``, whole or not at all."""
        with replacing(folder / MANIFEST_FILE) as temporary:
            temporary.write_text(json.dumps({"key": self.key, **asdict(self)}, indent=1) + "\n")


def settings_key(settings: Mapping[str, object]) -> str:
    """16 hex digits (SHA-256 of the sorted JSON)."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def load_manifest(folder: Path) -> Manifest:
    """Read ``manifest.json`` and check it against itself and against the sizes of the files.

    Raises:
        DataError: it is absent or garbled, or a file is absent or of another size.
    """
    path = folder / MANIFEST_FILE
    try:
        data = path.read_bytes()
    except OSError as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error
    manifest = parse_manifest(data, path)
    for shard in manifest.shards:
        _check_size(folder / shard.file, shard.size_bytes)
    return manifest


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """The manifest in a file's bytes, checked against itself; ``path`` is for messages."""
    try:
        content = json.loads(data)
        manifest = _parse(content)
        key = content["key"]
    except FAULTS as error:
        raise damaged(path, shortened(error)) from error
    if key != manifest.key:
        raise damaged(path, f"its key is {key!r}, but its settings hash to {manifest.key!r}")
    return manifest


def describe_shard(path: Path, num_rows: int) -> Shard:
    """Size and hash of a file just written."""
    return Shard(
        file=path.name,
        num_rows=num_rows,
        size_bytes=path.stat().st_size,
        sha256=file_sha256(path),
    )


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_contents(folder: Path, shard: Shard) -> None:
    """Raises DataError unless the file's bytes are those that were written."""
    path = folder / shard.file
    _check_size(path, shard.size_bytes)
    found = file_sha256(path)
    if found != shard.sha256:
        raise damaged(path, f"its SHA-256 is {found}, but must be {shard.sha256}")


def _check_size(path: Path, size_bytes: int) -> None:
    if not path.is_file():
        raise damaged(path, "it is missing")
    found = path.stat().st_size
    if found != size_bytes:
        raise damaged(path, f"it has {found} bytes, but must have {size_bytes}")


def _shard(file: object, num_rows: object, size_bytes: object, sha256: object) -> Shard:
    return Shard(
        file=file_name(file),
        num_rows=int(str(num_rows)),
        size_bytes=int(str(size_bytes)),
        sha256=checked_sha256(sha256),
    )


def _parse(content: dict[str, Any]) -> Manifest:
    settings = dict(content["settings"])
    if settings.get("dtype", DTYPE) not in DTYPES:
        raise ValueError(f"the dtype is {settings['dtype']!r}, but must be one of {DTYPES}")
    return Manifest(
        settings=settings,
        levels=tuple(LevelSpec(**level) for level in content["levels"]),
        num_rows=int(content["num_rows"]),
        rows_per_shard=int(content["rows_per_shard"]),
        shards=tuple(_shard(**shard) for shard in content["shards"]),
    )
