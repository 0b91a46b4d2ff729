"""MATLAB files as typed arrays. A .mat file is data only: reading one never runs code.

Rows in messages count from 0, as numpy and scipy show them; the values are the file's own, from 1.
"""

import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from jaxtyping import Float64, Int64
from scipy.io.matlab import MatReadError, MatReadWarning

from drmn.errors import DataError

_DAMAGE = (
    MatReadError,
    MatReadWarning,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)
"""All that scipy's reader was seen to raise on truncated and garbled files."""


class MatFile:
    """Some variables of one .mat file, with every access checked.

    Args:
        path: a MATLAB 4 to 7 file.
        required: variables that must be present; no others are read.
    """

    def __init__(self, path: Path, required: Sequence[str]) -> None:
        self.path = path
        self._variables = _read(path, required)
        missing = [name for name in required if name not in self._variables]
        if missing:
            raise DataError(
                f"{path} has no variable {', '.join(f'`{name}`' for name in missing)}",
                "take att_splits.mat and res101.mat from the xlsa17 proposed splits",
            )

    def integers(self, name: str) -> Int64[np.ndarray, " N"]:
        """A vector of whole numbers, as stored. Raises DataError for any other value."""
        values = self._numbers(name).ravel()
        whole = np.isfinite(values) & (values == np.round(values)) & (np.abs(values) < 2**53)
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
            value = values[row, column]
            raise self.error(
                name,
                f"row {row}, column {column} is {value}, but must be finite "
                f"({len(bad)} such values)",
            )
        return values

    def texts(self, name: str) -> tuple[str, ...]:
        """A cell array of strings, or a character matrix (one string per row)."""
        cells = self._variables[name].ravel()
        if cells.dtype.kind == "U":
            return tuple(str(cell).strip() for cell in cells)
        return tuple(self._text(name, row, cell) for row, cell in enumerate(cells))

    def error(self, name: str, problem: str, remedy: str = "") -> DataError:
        """The DataError that names this file and one of its variables."""
        return DataError(f"{self.path}: `{name}` {problem}", remedy)

    def _numbers(self, name: str) -> Float64[np.ndarray, "..."]:
        values = self._variables[name]
        if values.dtype.kind not in "biuf":
            raise self.error(name, f"holds {values.dtype} values, but must hold real numbers")
        return values.astype(np.float64)

    def _text(self, name: str, row: int, cell: Any) -> str:
        values = np.asarray(cell).ravel()
        if values.dtype.kind != "U" or len(values) != 1 or not str(values[0]).strip():
            raise self.error(name, f"row {row} is {cell!r:.60}, but must be a text")
        return str(values[0]).strip()


def _read(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DataError(f"{path} is absent", "take it from the xlsa17 proposed splits")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", MatReadWarning)
            loaded = scipy.io.loadmat(path, variable_names=list(names))
    except NotImplementedError as error:
        raise DataError(
            f"{path} is a MATLAB 7.3 (HDF5) file, but must be of version 4 to 7",
            "save it again with `save -v7` in MATLAB, or scipy.io.savemat",
        ) from error
    except _DAMAGE as error:
        raise DataError(
            f"{path} is truncated or not a MATLAB file: {type(error).__name__}: {error}",
            "download it again and compare its size with the original's",
        ) from error
    return {name: value for name, value in loaded.items() if isinstance(value, np.ndarray)}
