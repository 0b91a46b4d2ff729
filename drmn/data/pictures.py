"""Single pictures, from a file or from bytes that came over a network."""

from pathlib import Path

from PIL import Image

from drmn.data.image_files import UNREADABLE, check_size, decode
from drmn.errors import DataError


def open_picture(path: Path) -> Image.Image:
    """The RGB picture in a file.

    Raises:
        DataError: it is absent, broken, too large or no picture.
    """
    try:
        check_size(path.stat().st_size)
        return decode(path.read_bytes())
    except UNREADABLE as error:
        raise _broken(str(path), error) from error


def picture_of(data: bytes, name: str) -> Image.Image:
    """The RGB picture in ``data``; ``name`` is for messages.

    Raises:
        DataError: it is broken, too large or no picture.
    """
    try:
        check_size(len(data))
        return decode(data)
    except UNREADABLE as error:
        raise _broken(name, error) from error


def _broken(name: str, error: BaseException) -> DataError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if "cannot identify image file" in reason:
        reason = "it is in no known image format"
    return DataError(f"the picture {name} cannot be read: {reason}", "give a JPEG or PNG file")
