"""Archives of tensors looked at before they are read: what they say of their sizes must agree.

A few kilobytes of a compressed member, or of a header, may stand for more than any memory holds.
"""

import io
import math
import pickletools
import zipfile
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np

from drmn.reading import FAULTS

MAX_BYTES = 4 << 30
"""Of all members together, uncompressed; the largest of torchvision's networks has 2.6 GB."""
MAX_RATIO = 100
"""By how much an archive may grow as it is read; trained weights hardly shrink."""
_MAX_NAME = 200
_MAX_WORD = 10_000
_OLD_PICKLES = 4
"""That begin a file of torch before 1.6: magic, protocol, system, content."""
_FREE_BYTES = 1 << 20
"""That may come of any file, however small."""

UNREADABLE = (*FAULTS, RuntimeError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error)


def check_torch(file: io.BufferedIOBase, size_bytes: int) -> None:
    """Sizes and pickles of a file of ``torch.save``, zip or not; it is left at its beginning.

    torch looks at the text of its own errors in a time that grows with the square of its length:
    a name of a megabyte in a pickle keeps it busy for hours.

    Raises:
        ValueError: they are too large, grow too much, or name something with a very long name.
        zipfile.BadZipFile: its directory is damaged.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            _check_members(archive, size_bytes)
            for member in archive.infolist():
                if member.filename.endswith(".pkl"):
                    _check_pickle(io.BytesIO(archive.read(member)))
    else:
        file.seek(0)
        for _ in range(_OLD_PICKLES):
            _check_pickle(file)
    file.seek(0)


def check_npz(path: Path) -> None:
    """Sizes of an .npz file's members, and that each array's header agrees with its member.

    Raises:
        ValueError: they do not.
        zipfile.BadZipFile: it is no zip, or damaged.
    """
    with zipfile.ZipFile(path) as archive:
        _check_members(archive, path.stat().st_size)
        for member in archive.infolist():
            with archive.open(member) as stream:
                _check_header(stream, member)


def _check_pickle(file: io.BufferedIOBase) -> None:
    """One pickle from where the file is to its end."""
    for operation, argument, _ in pickletools.genops(cast(Any, file)):
        if isinstance(argument, str):
            limit = _MAX_NAME if operation.name in ("GLOBAL", "INST") else _MAX_WORD
            if max(map(len, argument.split()), default=0) > limit:
                raise ValueError(f"its pickle holds a word of over {limit} characters")


def _check_members(archive: zipfile.ZipFile, size_bytes: int) -> None:
    total = sum(member.file_size for member in archive.infolist())
    limit = min(MAX_BYTES, _FREE_BYTES + MAX_RATIO * size_bytes)
    if total > limit:
        raise ValueError(
            f"its {size_bytes} bytes stand for {total}, but may stand for at most {limit}"
        )


def _check_header(stream: Any, member: zipfile.ZipInfo) -> None:
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"{member.filename!r} is of the unknown version {version}")
    shape, _, dtype = read[version](stream)
    size = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and size != member.file_size - stream.tell():
        raise ValueError(f"{member.filename!r} has other bytes than its header says")
