"""Files that survive a crash: replaced whole or not at all, or grown by whole lines."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

_SUFFIX = ".tmp"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in ``path``'s folder; on a clean exit it becomes ``path``.

    Whoever reads ``path`` sees the old bytes or all of the new ones, also after a power cut: the
    file is synced before the rename and the folder after it. On an exception the temporary file
    is removed and ``path`` is left as it was; what a killed process left is removed by the next
    one of its machine that writes the same file.

    Raises:
        OSError: of what is done inside too; it names ``path`` where it named no file.
    """
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        temporary = path.with_name(f"{_beginning(path)}{os.getpid()}{_SUFFIX}")
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
            _sync(path.parent)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def is_temporary(path: Path) -> bool:
    """Whether ``path`` is what :func:`replacing` yields: perhaps incomplete, never a result."""
    return path.name.startswith(".") and path.suffix == _SUFFIX


def append_line(path: Path, line: str) -> None:
    """Append ``line`` and its end; it is on the disk when this returns.

    A line that a crash or a full disk cut short is removed first, and this one if it fails.

    Raises:
        OSError: naming the file; what was there before is kept.
    """
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileIO(path, "a+") as file:
            size = cut_partial_line(file)
            try:
                _write_whole(file, f"{line}\n".encode())
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    file.truncate(size)
                raise


def cut_partial_line(file: FileIO) -> int:
    """Remove what follows the last line's end; the file's size in bytes after that."""
    size = file.seek(0, os.SEEK_END)
    if not size or os.pread(file.fileno(), 1, size - 1) == b"\n":
        return size
    whole = os.pread(file.fileno(), size, 0).rfind(b"\n") + 1
    file.truncate(whole)
    return whole


def _write_whole(file: FileIO, data: bytes) -> None:
    """A full disk may take a part of the bytes, and says so only when it is asked again."""
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of writing to an open file do not name it."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise


def _beginning(path: Path) -> str:
    return f".{path.name}.{socket.gethostname()}."


def _remove_leftovers(path: Path) -> None:
    """Of processes of this machine that are no longer there."""
    beginning = _beginning(path)
    for found in path.parent.iterdir():
        if found.name.startswith(beginning) and found.suffix == _SUFFIX:
            owner = found.name[len(beginning) : -len(_SUFFIX)]
            if owner.isdecimal() and not _is_alive(int(owner)):
                with suppress(OSError):
                    found.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
