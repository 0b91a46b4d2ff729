"""Attribute names beside the .mat files: CUB's and SUN's attributes.txt, AwA's predicates.txt."""

import re
from pathlib import Path

from drmn.data.layouts.text import read_text
from drmn.errors import DataError

NAME_FILES = ("attributes.txt", "predicates.txt")
_NUMBERED = re.compile(r"\s*(\d+)[\s.:)]+(\S.*)")


def read_attribute_names(root: Path, num_attributes: int) -> tuple[str, ...]:
    """One name per attribute; ``attribute 1``, ... where neither file is present.

    Lines read ``1 has_bill_shape::dagger``, ``     1<tab>black`` or just ``driving``.

    Raises:
        DataError: the file is no UTF-8 text or has another number of lines.
    """
    path = next((root / name for name in NAME_FILES if (root / name).is_file()), None)
    if path is None:
        return _placeholders(num_attributes)
    names = _unnumbered([line for line in read_text(path).splitlines() if line.strip()])
    if len(names) != num_attributes:
        raise DataError(
            f"{path} has {len(names)} names, but `att` has {num_attributes} attributes",
            "take the file that belongs to this attribute matrix, or remove it",
        )
    return names


def has_attribute_names(names: tuple[str, ...]) -> bool:
    """Whether these are names that somebody gave."""
    return names != _placeholders(len(names))


def _placeholders(num_attributes: int) -> tuple[str, ...]:
    return tuple(f"attribute {number}" for number in range(1, num_attributes + 1))


def _unnumbered(lines: list[str]) -> tuple[str, ...]:
    """Drops the numbers 1, 2, ... where every line has its own; names may begin with digits."""
    matches = [_NUMBERED.fullmatch(line) for line in lines]
    if all(match and int(match[1]) == row for row, match in enumerate(matches, start=1)):
        return tuple(match[2].strip() for match in matches if match)
    return tuple(line.strip() for line in lines)
