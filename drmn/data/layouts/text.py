"""Text files of the distributions: lists, numbered or not, and tables of numbers."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from drmn.errors import DataError

MAX_TEXT_BYTES = 100_000_000  # CUB's class-attribute table has 0.6 MB
_NUMBERED = re.compile(r"\s*(\d+)\s+(\S.*)")


def read_text(path: Path) -> str:
    """The whole file as UTF-8. Raises DataError if it is absent, too large or no such text."""
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise DataError(f"{path} has over {MAX_TEXT_BYTES} bytes, too many for a list")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}", "complete the download") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}", "save it as UTF-8") from error


def read_numbered(path: Path) -> list[str]:
    """The texts of lines ``1 first``, ``2 second``, ... in order.

    Raises:
        DataError: a line has no number, or the numbers are not 1, 2, 3, ...
    """
    texts = []
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    for number, line in enumerate(lines, start=1):
        match = _NUMBERED.fullmatch(line)
        if match is None or int(match[1]) != number:
            raise DataError(f"{path}: line {number} is {line[:60]!r}, but must read '{number} ...'")
        texts.append(match[2].strip())
    if not texts:
        raise DataError(f"{path} is empty")
    return texts


def read_names(path: Path) -> list[str]:
    """One name per line. Raises DataError if there is none."""
    names = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    if not names:
        raise DataError(f"{path} is empty")
    return names


def read_matrix(path: Path, num_rows: int) -> Float64[np.ndarray, "n m"]:
    """Numbers divided by blanks, all lines of one length.

    Raises:
        DataError: another number of lines, a word that is no number, or lines of unequal length.
    """
    lines = [line.split() for line in read_text(path).splitlines() if line.strip()]
    if len(lines) != num_rows:
        raise DataError(f"{path} has {len(lines)} lines, but must have {num_rows}: one per class")
    widths = {len(line) for line in lines}
    if len(widths) != 1:
        raise DataError(f"{path} has lines of {min(widths)} to {max(widths)} numbers")
    try:
        return np.array([[float(word) for word in line] for line in lines])
    except ValueError as error:
        raise DataError(f"{path} holds something else than numbers: {error}") from error
