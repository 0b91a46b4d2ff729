"""Files that others may have written: whatever is wrong with one becomes an error that names it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from drmn.errors import DataError

FAULTS = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    MemoryError,
    RecursionError,
)
"""What parsing a file, and making objects of what it holds, raises where it is not as it was
written: ``int(inf)`` and lists nested a thousand deep among it."""
_MAX_SHOWN = 200
_SHA256 = re.compile(r"[0-9a-f]{64}")


@contextmanager
def reading(file: object, what: str, remedy: str = "") -> Iterator[None]:
    """Turn what goes wrong inside into a DataError.

    Args:
        file: its path or address.
        what: it must be, with its article.
        remedy: how to mend it.

    Raises:
        DataError: anything of FAULTS, in one line.
    """
    try:
        yield
    except DataError:
        raise
    except FAULTS as error:
        raise DataError(f"{file}: not {what} ({shortened(error)})", remedy) from error


def shortened(error: Exception) -> str:
    """``error`` in one line that is not longer than a terminal shows at once."""
    text = " ".join(repr(error).split())
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def file_name(name: object) -> str:
    """``name``, if it is that of a file and leads nowhere else.

    Raises:
        ValueError: it is no text, empty, or has a folder in it.
    """
    text = str(name)
    if not isinstance(name, str) or text in ("", ".", "..") or set(text) & {"/", "\\", "\0"}:
        raise ValueError(f"{text[:_MAX_SHOWN]!r} is no name of a file in this folder")
    return text


def sha256(digest: object) -> str:
    """``digest``, if it is a SHA-256 in hexadecimal digits.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise ValueError(f"{str(digest)[:_MAX_SHOWN]!r} is no SHA-256")
    return digest
