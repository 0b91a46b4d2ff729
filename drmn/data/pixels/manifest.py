"""The table of contents of prepared pixels, and the report of pictures that were unreadable."""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from drmn.data.exclusions import EXCLUDE_FILE
from drmn.data.store.storage import Storage
from drmn.errors import DataError
from drmn.reading import FAULTS, file_name, sha256, shortened

MANIFEST_FILE = "pixels.json"
QUARANTINE_FILE = "quarantine.json"


@dataclass(frozen=True, kw_only=True)
class PixelShard:
    """A finished shard; ``bad`` maps the tails of unreadable pictures to reasons."""

    index: int
    file: str
    first_row: int
    num_rows: int
    size_bytes: int
    sha256: str
    bad: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class PixelManifest:
    """``settings`` decide every byte; shards may be listed in any order while some are missing."""

    settings: dict[str, object]
    num_rows: int
    rows_per_shard: int
    shards: tuple[PixelShard, ...] = ()

    def with_shard(self, shard: PixelShard) -> "PixelManifest":
        kept = [each for each in self.shards if each.index != shard.index]
        return replace(self, shards=tuple(sorted([*kept, shard], key=lambda each: each.index)))

    @property
    def image_size(self) -> int:
        """Pixels of a side."""
        transform = self.settings["transform"]
        if not isinstance(transform, dict):
            raise TypeError(f"the transform is {transform!r}, but must be a table")
        return int(transform["image_size"])

    @property
    def num_done(self) -> int:
        return sum(shard.num_rows for shard in self.shards)

    @property
    def bad(self) -> dict[str, str]:
        return {tail: reason for shard in self.shards for tail, reason in shard.bad.items()}

    def save(self, storage: Storage) -> None:
        storage.write(MANIFEST_FILE, (json.dumps(asdict(self), indent=1) + "\n").encode())


def load_pixel_manifest(storage: Storage) -> PixelManifest | None:
    """The manifest of a place; None if there is none.

    Raises:
        DataError: it is garbled.
    """
    data = storage.read(MANIFEST_FILE)
    if data is None:
        return None
    try:
        return _parse(json.loads(data))
    except FAULTS as error:
        raise DataError(
            f"{MANIFEST_FILE} in {storage.shown} is damaged: {shortened(error)}",
            "remove it; all shards are then made again",
        ) from error


def _parse(content: dict[str, Any]) -> PixelManifest:
    shards = tuple(PixelShard(**shard) for shard in content.pop("shards"))
    manifest = PixelManifest(**content, shards=shards)
    if min(manifest.image_size, manifest.num_rows, manifest.num_done) < 0:
        raise ValueError("a size is negative")
    for shard in shards:
        file_name(shard.file)
        sha256(shard.sha256)
    return manifest


def write_report(manifest: PixelManifest, storage: Storage) -> None:
    """quarantine.json with the reasons, exclude.txt as a data set's folder takes it."""
    content = {"num_bad": len(manifest.bad), "images": manifest.bad}
    storage.write(QUARANTINE_FILE, (json.dumps(content, indent=1) + "\n").encode())
    storage.write(EXCLUDE_FILE, "".join(f"{tail}\n" for tail in manifest.bad).encode())
