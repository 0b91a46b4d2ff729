"""A strict reader of MATLAB 5-7 files, for real arrays, texts and cells of texts.

scipy's reader trusts the tags inside the file: a single wrong byte can crash the interpreter. Here
every size is checked before use, so that damage is always an exception. Unwanted variables (the
features of res101.mat) are skipped without being decompressed.

An element is a tag (kind, size) and data; a variable is an element of kind MATRIX that holds flags,
dimensions, a name and values as elements again.
"""

import math
import mmap
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

Value = np.ndarray | list[str]
"""A real array, or texts: the rows of a character matrix, or one per cell."""

MAX_VARIABLE_BYTES = 1 << 28  # decompressed; the largest known (SUN's att) has 0.6 MB

_HEADER_BYTES = 128
_MATRIX, _COMPRESSED = 14, 15  # kinds of element
_CELL, _CHARACTERS, _NUMBERS = 1, 4, range(6, 16)  # classes of variable
_COMPLEX = 0x800
_NUMBER_KINDS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"} | {
    12: "i8",
    13: "u8",
}
_TEXT_KINDS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}


class MatDamageError(ValueError):
    """The bytes are no MATLAB file, or break off, or contradict themselves."""


def read_variables(
    path: Path, names: Collection[str], max_bytes: int = MAX_VARIABLE_BYTES
) -> dict[str, Value]:
    """Those of the named variables that the file has.

    Args:
        max_bytes: no variable may be larger once it is decompressed.

    Raises:
        MatDamageError: the file is damaged, or a named variable has an unsupported type.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        if path.stat().st_size <= _HEADER_BYTES:
            raise MatDamageError(f"it has only {path.stat().st_size} bytes")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return _read_all(mapped, names, max_bytes)


def _read_all(data: mmap.mmap, names: Collection[str], max_bytes: int) -> dict[str, Value]:
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if data[:10] == b"MATLAB 7.3":
        raise MatDamageError("it is of version 7.3 (HDF5), but must be of version 5 to 7")
    if order is None:
        raise MatDamageError("its header does not end with the letters IM")
    found: dict[str, Value] = {}
    reader = _Elements(data, order, _HEADER_BYTES)
    for kind, start, stop in reader:
        if kind == _COMPRESSED:
            variable = _inflate(data, start, stop, order, names, max_bytes)
        elif kind == _MATRIX:
            variable = _Variable(_Elements(data, order, start, stop))
        else:
            raise MatDamageError(f"an element of kind {kind} stands at byte {start}")
        if variable.name in found:
            raise MatDamageError(f"the variable `{variable.name}` occurs twice")
        if variable.name in names:
            found[variable.name] = variable.value()
    return found


class _Elements:
    """Iterates over the elements between two positions as (kind, start, stop)."""

    def __init__(
        self, data: bytes | mmap.mmap, order: str, start: int, stop: int | None = None
    ) -> None:
        self.data, self.order = data, order
        self._at, self._stop = start, len(data) if stop is None else stop
        self._tag = struct.Struct(order + "II")

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        while self._at < self._stop:
            yield self.next()

    def next(self) -> tuple[int, int, int]:
        start = self._at + 8
        if start > self._stop:
            raise MatDamageError(f"it breaks off at byte {self._at}")
        kind, size = self._tag.unpack_from(self.data, self._at)
        self._at = start + size
        if kind >> 16:  # a small element: up to four bytes inside the tag
            start, kind, size = start - 4, kind & 0xFFFF, kind >> 16
            self._at = start + 4
        elif kind != _COMPRESSED:
            self._at += -size % 8
        if start + size > self._stop or (start + 4 == self._at and size > 4):
            raise MatDamageError(f"the element at byte {start} ends beyond its container")
        return kind, start, start + size

    def payload(self) -> tuple[int, bytes]:
        """Kind and bytes of the next element."""
        kind, start, stop = self.next()
        return kind, self.data[start:stop]


class _Variable:
    """Flags, dimensions and name of a variable; its values are read on demand."""

    def __init__(self, elements: _Elements) -> None:
        self._elements = elements
        self._order = elements.order
        flags, dimensions, name = (elements.payload()[1] for _ in range(3))
        if len(flags) != 8 or len(dimensions) < 8 or len(dimensions) % 4:
            raise MatDamageError("the flags or dimensions of a variable are malformed")
        self._flags = struct.unpack(self._order + "II", flags)[0]
        self._shape = struct.unpack(f"{self._order}{len(dimensions) // 4}i", dimensions)
        if min(self._shape) < 0:
            raise MatDamageError(f"a variable has the dimensions {self._shape}")
        self.name = name.decode("latin-1")

    def value(self) -> Value:
        kind = self._flags & 0xFF
        if kind == _CELL:
            return [self._cell(row) for row in range(math.prod(self._shape))]
        if kind == _CHARACTERS:
            return self._rows_of_text()
        if kind in _NUMBERS and not self._flags & _COMPLEX:
            return self._array()
        raise MatDamageError(f"`{self.name}` is neither a real array nor texts (class {kind})")

    def _cell(self, row: int) -> str:
        kind, start, stop = self._elements.next()
        if kind != _MATRIX or start == stop:
            raise MatDamageError(f"row {row} of `{self.name}` is empty, but must be a text")
        cell = _Variable(_Elements(self._elements.data, self._order, start, stop))
        if cell._flags & 0xFF != _CHARACTERS or len(texts := cell._rows_of_text()) != 1:
            raise MatDamageError(f"row {row} of `{self.name}` is not one text")
        return texts[0]

    def _rows_of_text(self) -> list[str]:
        """Characters are stored column by column."""
        if math.prod(self._shape) == 0:
            return []
        kind, data = self._elements.payload()
        encoding = _TEXT_KINDS.get(kind, "")
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if self._order == "<" else "-be"
        try:
            text = data.decode(encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise MatDamageError(f"`{self.name}` holds undecodable text: {error}") from error
        num_rows = self._shape[0]
        if num_rows > 1 and len(text) != math.prod(self._shape):
            raise MatDamageError(f"`{self.name}` has {len(text)} characters for {self._shape}")
        return [text[row::num_rows] for row in range(num_rows)]

    def _array(self) -> np.ndarray:
        if math.prod(self._shape) == 0:
            return np.zeros(self._shape)
        kind, data = self._elements.payload()
        if kind not in _NUMBER_KINDS:
            raise MatDamageError(f"`{self.name}` holds elements of kind {kind}, not numbers")
        values = np.dtype(self._order + _NUMBER_KINDS[kind])
        if len(data) != math.prod(self._shape) * values.itemsize:
            raise MatDamageError(f"`{self.name}` has {len(data)} bytes for {self._shape}")
        return np.frombuffer(data, values).reshape(self._shape, order="F")


def _inflate(
    data: mmap.mmap, start: int, stop: int, order: str, names: Collection[str], max_bytes: int
) -> _Variable:
    """The variable inside a compressed element; whole only if it is wanted."""
    try:
        head = zlib.decompressobj().decompress(data[start : min(stop, start + 1024)], 1024)
        variable = _Variable(_inside(head, order, truncated=True))
        if variable.name not in names:
            return variable
        stream = zlib.decompressobj()
        whole = stream.decompress(data[start:stop], max_bytes)
    except zlib.error as error:
        raise MatDamageError(f"a compressed variable is damaged: {error}") from error
    if not stream.eof:
        raise MatDamageError(f"`{variable.name}` breaks off, or has over {max_bytes} bytes")
    return _Variable(_inside(whole, order))


def _inside(data: bytes, order: str, truncated: bool = False) -> _Elements:
    """The elements of the one MATRIX that ``data`` consists of."""
    if len(data) < 8:
        raise MatDamageError("a compressed variable is empty")
    kind, size = struct.unpack_from(order + "II", data)
    if kind != _MATRIX or (8 + size > len(data) and not truncated):
        raise MatDamageError("a compressed element holds no variable")
    return _Elements(data, order, 8, min(8 + size, len(data)))
