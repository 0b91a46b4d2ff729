"""Files of pictures, in a folder or a zip archive.

Both may be pickled, forked and shared between threads: a zip is reopened in each process.
"""

import hashlib
import io
import os
import struct
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from drmn.data.dataset import digest
from drmn.data.paths import match_tails
from drmn.errors import DataError

MAX_PIXELS = 50_000_000  # more is taken for a decompression bomb; SUN's largest is 13 million
MAX_FILE_BYTES = 200_000_000
NUM_SAMPLED = 64  # files of a folder whose bytes the fingerprint covers, at least

UNREADABLE = (
    OSError,  # PIL.UnidentifiedImageError and truncated files among them
    ValueError,
    SyntaxError,  # PIL's word for a broken PNG
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    RuntimeError,  # an encrypted or oddly compressed zip member
    MemoryError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class _IndexedImages(ABC):
    """What folder and archive share: an index of tails, and errors that name file and row."""

    def __init__(self, location: Path, rows: Mapping[str, int], index: Mapping[str, str]) -> None:
        self.location = location
        self._rows = rows
        self._index = index

    def has(self, tail: str) -> bool:
        return tail in self._index

    def open_image(self, tail: str) -> Image.Image:
        if tail not in self._index:
            raise DataError(
                f"{self.location} has no image {tail!r} (row {self._rows.get(tail, 'unknown')})",
                "complete the download; `drmn data check` lists every missing image",
            )
        try:
            return decode(self._read(self._index[tail]))
        except UNREADABLE as error:
            unknown = isinstance(error, UnidentifiedImageError)
            reason = "it is in no known image format" if unknown else error
            raise DataError(
                f"{self.location}: the image {self._index[tail]!r} "
                f"(row {self._rows.get(tail, 'unknown')}) is broken: {reason}",
                "download that file again",
            ) from error

    def fingerprint(self, tails: Sequence[str]) -> str:
        step = max(1, len(tails) // NUM_SAMPLED)
        return digest(
            f"{tail} {self._mark(tail, is_sampled=number % step == 0)}"
            for number, tail in enumerate(tails)
        )

    def _mark(self, tail: str, *, is_sampled: bool) -> str:
        try:
            return self._describe(self._index[tail], is_sampled=is_sampled)
        except (KeyError, OSError):
            return "absent"

    @abstractmethod
    def _read(self, path: str) -> bytes:
        """The file's bytes."""

    @abstractmethod
    def _describe(self, path: str, *, is_sampled: bool) -> str:
        """What tells the file from another; with ``is_sampled`` all its bytes may be read."""


class ImageFolder(_IndexedImages):
    """Pictures anywhere below a folder; ``rows`` maps each wanted tail to its row."""

    def __init__(self, folder: Path, rows: Mapping[str, int]) -> None:
        super().__init__(folder, rows, match_tails(_files_below(folder), rows))

    def _read(self, path: str) -> bytes:
        file = self.location / path
        check_size(file.stat().st_size)
        return file.read_bytes()

    def _describe(self, path: str, *, is_sampled: bool) -> str:
        file = self.location / path
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest() if is_sampled else ""
        return f"{file.stat().st_size} {sha256}"


class ImageZip(_IndexedImages):
    """Pictures inside a zip archive, read in place and never extracted.

    Raises:
        DataError: the archive is broken or has a member that climbs out (``..``).
    """

    def __init__(self, archive: Path, rows: Mapping[str, int]) -> None:
        self._handle: tuple[int, zipfile.ZipFile] | None = None
        self.location = archive
        try:
            names = self._zip().namelist()
        except UNREADABLE as error:
            raise DataError(
                f"{archive} is not a readable zip archive: {error}", "download it again"
            ) from error
        for name in names:
            if name.startswith("/") or ".." in name.replace("\\", "/").split("/"):
                raise DataError(f"{archive} has the member {name!r}, which leaves the archive")
        super().__init__(archive, rows, match_tails(names, rows))

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_handle": None}

    def _zip(self) -> zipfile.ZipFile:
        """This process's own handle: a file position inherited by fork would be shared."""
        if self._handle is None or self._handle[0] != os.getpid():
            self._handle = (os.getpid(), zipfile.ZipFile(self.location))
        return self._handle[1]

    def _read(self, path: str) -> bytes:
        archive = self._zip()
        check_size(archive.getinfo(path).file_size)
        return archive.read(path)

    def _describe(self, path: str, *, is_sampled: bool) -> str:  # noqa: ARG002
        member = self._zip().getinfo(path)
        return f"{member.file_size} {member.CRC:08x}"


def decode(data: bytes) -> Image.Image:
    """The RGB picture in a file's bytes. Raises one of UNREADABLE."""
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ValueError(f"it has {width} x {height} pixels, but at most {MAX_PIXELS} may be")
        return image.convert("RGB")


def check_size(size_bytes: int) -> None:
    """Raises ValueError for a file that is too large to be a picture."""
    if size_bytes > MAX_FILE_BYTES:
        raise ValueError(f"it has {size_bytes} bytes, but at most {MAX_FILE_BYTES} may be")


def _files_below(folder: Path) -> Iterator[str]:
    """Relative paths of all files, through links (each folder once, so that loops end)."""
    visited: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        relative = Path(parent).relative_to(folder).as_posix()
        for name in files:
            yield name if relative == "." else f"{relative}/{name}"
