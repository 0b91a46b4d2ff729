"""Pictures of a data set, found by the content of their paths."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from PIL import Image

from drmn.data.dataset import Dataset
from drmn.data.image_files import ImageFolder, ImageZip

ZIP_FILE = "images.zip"


@runtime_checkable
class ImageSource(Protocol):
    """Where pictures come from."""

    @property
    def location(self) -> Path:
        """The folder or archive, for messages."""
        ...

    def has(self, tail: str) -> bool:
        """Whether a picture is there; nothing is decoded."""
        ...

    def open_image(self, tail: str) -> Image.Image:
        """The decoded RGB picture. Raises DataError (with its row) if absent or broken."""
        ...

    def fingerprint(self, tails: Sequence[str]) -> str:
        """16 hex digits that change when the pictures do; cheap, so not every byte is read.

        A zip: size and CRC-32 of every file. A folder: the size of every file, the SHA-256 of
        64 files spread evenly. Prepared pictures: what those they were made from have.
        """
        ...


class WithBlanks:
    """Excluded images are black and never opened: they have a row, but are in no split."""

    def __init__(self, source: ImageSource, excluded: Collection[str]) -> None:
        self.location = source.location
        self._source = source
        self._excluded = excluded

    def has(self, tail: str) -> bool:
        return tail in self._excluded or self._source.has(tail)

    def open_image(self, tail: str) -> Image.Image:
        if tail in self._excluded:
            return Image.new("RGB", (1, 1))
        return self._source.open_image(tail)

    def fingerprint(self, tails: Sequence[str]) -> str:
        return self._source.fingerprint([tail for tail in tails if tail not in self._excluded])


def images(dataset: Dataset) -> ImageSource:
    """The pictures of a data set: ``images.zip`` if present, else all files below its folder."""
    rows = {tail: row for row, tail in enumerate(dataset.image_paths)}
    archive = dataset.root / ZIP_FILE
    source: ImageSource = (
        ImageZip(archive, rows) if archive.is_file() else ImageFolder(dataset.root, rows)
    )
    return WithBlanks(source, dataset.excluded) if dataset.excluded else source


def missing_images(dataset: Dataset, source: ImageSource) -> list[int]:
    """Rows whose picture is absent, in order; nothing is decoded."""
    return [row for row, tail in enumerate(dataset.image_paths) if not source.has(tail)]
