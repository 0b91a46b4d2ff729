"""Files of tensors and plain values: written whole, checksummed, read without running any code.

A file is torch's own format followed by a line with the SHA-256 of all bytes before it. Only
tensors and plain values are stored, hence ``weights_only`` loading suffices.
"""

import hashlib
import io
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from drmn.archives import UNREADABLE, check_torch
from drmn.atomic import replacing

_SEAL = b"\ndrmn-sha256:"
_SEAL_SIZE = len(_SEAL) + 64


class SealError(Exception):
    """What is wrong with a file, as the end of a sentence that begins with its name."""


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` (tensors and plain values, nested) to ``path`` atomically."""
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    data = buffer.getbuffer()
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.write(_SEAL + hashlib.sha256(data).hexdigest().encode())


def read_sealed(path: Path) -> dict[str, Any]:
    """Inverse of :func:`write_sealed`; tensors on the CPU.

    Raises:
        SealError: the file is absent, truncated, altered or holds more than plain values.
    """
    try:
        data = memoryview(path.read_bytes())
    except OSError as error:
        raise SealError(f"cannot be read ({error.strerror})") from error
    data, seal = data[:-_SEAL_SIZE], bytes(data[-_SEAL_SIZE:])
    if not seal.startswith(_SEAL):
        raise SealError("does not end in a checksum: it is truncated or of another kind")
    if seal != _SEAL + hashlib.sha256(data).hexdigest().encode():
        raise SealError("does not match its checksum: it was altered after it was written")
    try:
        check_torch(io.BytesIO(data), len(data))
        with warnings.catch_warnings():  # of what torch.save here never writes
            warnings.simplefilter("error", UserWarning)
            content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, UserWarning, *UNREADABLE) as error:
        raise SealError("holds more than tensors and plain values") from error
    if not isinstance(content, dict):
        raise SealError(f"holds {type(content).__name__}, but must hold named values")
    return content
