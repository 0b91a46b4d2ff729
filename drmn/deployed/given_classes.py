"""Classes that no training knew, as a table of attributes: what zero-shot learning is for.

A table is CSV: the first line reads ``class`` and the names of all attributes, in any order; each
further line is one class.
"""

import csv
import io
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float32
from torch import Tensor

from drmn.data.layouts.text import MAX_TEXT_BYTES
from drmn.errors import DataError

CLASS_COLUMN = "class"
_MAX_NAMED = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class GivenClasses:
    """N classes and their semantics, l2-normalised as in training."""

    names: tuple[str, ...]
    attributes: Float32[Tensor, "N A"]


def read_classes(
    path: Path, attribute_names: Sequence[str], known: Collection[str]
) -> GivenClasses:
    """The table in a file; see :func:`parse_classes`.

    Raises:
        DataError: it cannot be read, or see there.
    """
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise OSError(f"it has over {MAX_TEXT_BYTES} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the table of classes {path} cannot be read: {error}", "give a CSV file in UTF-8"
        ) from error
    return parse_classes(text, attribute_names, known, origin=str(path))


def parse_classes(
    text: str, attribute_names: Sequence[str], known: Collection[str], *, origin: str
) -> GivenClasses:
    """The classes of a table, their attributes in the model's order.

    Args:
        known: the model's own classes, which the table must not repeat.
        origin: of the table, for messages.

    Raises:
        DataError: an attribute is missing, unknown or given twice; a value is no finite number; a
            class has no name, only zeros, or a name that is taken.
    """
    header, *lines = _rows(text, origin)
    header = [cell.strip() for cell in header]
    _check_header(header, attribute_names, origin)
    if not lines:
        raise DataError(f"{origin} holds no class, but must hold at least 1")
    names: list[str] = []
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        if len(line) != len(header):
            raise DataError(
                f"{origin}: class row {number} has {len(line)} values, but the first line has "
                f"{len(header)}"
            )
        cells = dict(zip(header, line, strict=True))
        name = cells.pop(CLASS_COLUMN).strip()
        _check_name(name, number, {*known, *names}, origin)
        names.append(name)
        rows.append(_values(name, cells, attribute_names, origin))
    attributes = torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float64), dim=1)
    return GivenClasses(names=tuple(names), attributes=attributes.float())


def _rows(text: str, origin: str) -> list[list[str]]:
    try:
        return [line for line in csv.reader(io.StringIO(text)) if any(line)] or [[]]
    except csv.Error as error:
        raise DataError(f"{origin} is no CSV: {error}", "give a CSV file in UTF-8") from error


def _check_header(header: list[str], attribute_names: Sequence[str], origin: str) -> None:
    if CLASS_COLUMN not in header:
        raise DataError(
            f"{origin} has no column {CLASS_COLUMN!r}",
            f"let its first line read {CLASS_COLUMN},{attribute_names[0]},…",
        )
    wanted = {CLASS_COLUMN, *attribute_names}
    faults = {
        "attributes are missing": [name for name in attribute_names if name not in header],
        "columns are no attribute of the model": [name for name in header if name not in wanted],
        "columns are given twice": sorted({name for name in header if header.count(name) > 1}),
    }
    for fault, names in faults.items():
        if names:
            more = ", …" if len(names) > _MAX_NAMED else ""
            named = ", ".join(map(repr, names[:_MAX_NAMED])) + more
            raise DataError(
                f"{origin}: {len(names)} {fault}: {named}; the model has {len(attribute_names)} "
                "attributes and needs each once",
                "`drmn predict --model … --template FILE.csv` writes the first line",
            )


def _check_name(name: str, number: int, taken: Collection[str], origin: str) -> None:
    if not name:
        raise DataError(f"{origin}: class row {number} has no name in the column {CLASS_COLUMN!r}")
    if name in taken:
        raise DataError(
            f"{origin}: the class name {name!r} in row {number} is taken, but must be new",
            "leave the model's own classes out, and name each new one once",
        )


def _values(
    name: str, cells: dict[str, str], attribute_names: Sequence[str], origin: str
) -> list[float]:
    values = [_number(name, attribute, cells[attribute], origin) for attribute in attribute_names]
    if not any(values):
        raise DataError(f"{origin}: all attributes of {name!r} are 0, but one must not be")
    return values


def _number(name: str, attribute: str, cell: str, origin: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"{origin}: {attribute!r} of {name!r} is {cell.strip()!r}, but must be a finite number"
        )
    return value
