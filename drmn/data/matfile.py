"""Variables of a MATLAB file as checked vectors, matrices and texts.

Rows in messages count from 0, as numpy and scipy show them; values are the file's own, from 1.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from drmn.data.mat5 import MatDamageError, Value, read_variables
from drmn.errors import DataError
from drmn.reading import FAULTS

_LARGEST_EXACT = 2**53  # of whole numbers in float64


class MatFile:
    """Some variables of one .mat file, with every access checked.

    Args:
        path: a MATLAB 5 to 7 file.
        required: variables that must be present.
        optional: variables that are read if present; no others are.

    Raises:
        DataError: the file is absent, damaged or lacks a variable.
    """

    def __init__(self, path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> None:
        self.path = path
        self._variables = _read(path, [*required, *optional])
        missing = [name for name in required if name not in self._variables]
        if missing:
            raise DataError(
                f"{path} has no variable {', '.join(f'`{name}`' for name in missing)}",
                "take att_splits.mat and res101.mat from the xlsa17 proposed splits",
            )

    def has(self, name: str) -> bool:
        return name in self._variables

    def integers(self, name: str) -> Int64[np.ndarray, " N"]:
        """A vector of whole numbers, as stored. Raises DataError for any other value."""
        values = self._numbers(name).ravel(order="F")
        whole = np.isfinite(values) & (np.abs(values) < _LARGEST_EXACT)
        whole &= values == np.round(values)
        if not whole.all():
            row = int(np.argmin(whole))
            raise self.error(name, f"row {row} is {values[row]:g}, but must be a whole number")
        return values.astype(np.int64)

    def matrix(self, name: str) -> Float64[np.ndarray, "M N"]:
        """A finite real matrix. Raises DataError naming the first NaN or infinity."""
        values = self._numbers(name)
        if values.ndim != 2:
            raise self.error(name, f"has {values.ndim} dimensions, but must have 2")
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            row, column = map(int, bad[0])
            raise self.error(
                name,
                f"row {row}, column {column} is {values[row, column]}, but must be finite "
                f"({len(bad)} such values)",
            )
        return values

    def texts(self, name: str) -> tuple[str, ...]:
        """A cell array of strings, or a character matrix (one string per row)."""
        texts = self._variables[name]
        if isinstance(texts, np.ndarray):
            raise self.error(name, f"holds {texts.dtype} values, but must hold texts")
        stripped = tuple(text.strip("\0 \t\r\n") for text in texts)
        if "" in stripped:
            raise self.error(name, f"row {stripped.index('')} is empty, but must be a text")
        return stripped

    def error(self, name: str, problem: str, remedy: str = "") -> DataError:
        """The DataError that names this file and one of its variables."""
        return DataError(f"{self.path}: `{name}` {problem}", remedy)

    def _numbers(self, name: str) -> Float64[np.ndarray, "..."]:
        values = self._variables[name]
        if not isinstance(values, np.ndarray):
            raise self.error(name, "holds texts, but must hold real numbers")
        return values.astype(np.float64)


def _read(path: Path, names: Sequence[str]) -> dict[str, Value]:
    if not path.is_file():
        raise DataError(f"{path} is absent", "take it from the xlsa17 proposed splits")
    try:
        return read_variables(path, names)
    except (MatDamageError, *FAULTS) as error:
        raise DataError(
            f"{path} is truncated or not a usable MATLAB file: {error}",
            "download it again; a file of version 7.3 must be saved again with `save -v7`",
        ) from error
