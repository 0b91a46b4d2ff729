"""Events on disk before anything else: JSON lines, and how far they have been delivered.

Nothing is ever dropped. A line is in the file (a `kill -9` cannot take it back) when
:meth:`Spool.append` returns; a line that a crash cut short is removed when the spool is opened
again. Where more than ``max_bytes`` wait to be delivered, ``append`` gives the sender up to
``max_wait_s`` to make room and then writes all the same: it delays, it never blocks.
"""

import errno
import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.tracking.names import TrackingError

logger = logging.getLogger(__name__)

_WINDOW_BYTES = 2**20
_DIGITS = 20


@dataclass(frozen=True, kw_only=True)
class Window:
    """Lines in order, undelivered, and the offset behind the last of them."""

    events: list[dict[str, Any]]
    end: int


class Spool:
    """``<name>.jsonl`` and ``<name>.offset`` in ``folder``; one process at a time, any threads.

    Raises:
        TrackingError: the disk does not take an event.
    """

    def __init__(
        self, folder: Path, name: str, *, max_bytes: int = 2**30, max_wait_s: float = 1.0
    ) -> None:
        self._path = folder / f"{name}.jsonl"
        self._max_bytes = max_bytes
        self._max_wait_s = max_wait_s
        self._changed = threading.Condition()
        self._has_warned = False
        with self._disk_errors("opened"):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._offsets = os.open(folder / f"{name}.offset", os.O_RDWR | os.O_CREAT, 0o644)
            self._size = self._cut_partial_line()
            self._offset = self._load_offset()
            self._save_offset(self._offset)  # one behind the end would count again once it is not
            self._num_left = self._count_left()

    @property
    def num_left(self) -> int:
        """Events that are not delivered."""
        return self._num_left

    @property
    def bytes_left(self) -> int:
        """Their size."""
        return self._size - self._offset

    def append(self, event: Mapping[str, Any], *, durable: bool = False) -> None:
        """Write one event; with ``durable`` wait for the disk, as against a power cut."""
        line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        with self._changed:
            self._make_room(len(line))
            with self._disk_errors("written"):
                self._write(line, durable=durable)
            self._size += len(line)
            self._num_left += 1
            self._changed.notify_all()

    def read(self, max_bytes: int = _WINDOW_BYTES) -> Window:
        """The next undelivered events: at least one if there is any, at most so many bytes."""
        with self._changed:
            start, left = self._offset, self.bytes_left
        content = os.pread(self._file, min(left, max_bytes), start)
        if b"\n" not in content:
            content = os.pread(self._file, left, start)
            content = content[: content.find(b"\n") + 1]
        lines = content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]
        events = [_parsed(line) for line in lines]
        return Window(events=events, end=start + sum(map(len, lines)) + len(lines))

    def acknowledge(self, window: Window) -> None:
        """``window`` has been delivered; a spool without any other event becomes empty.

        Raises:
            OSError: that cannot be noted: the window will be read again.
        """
        with self._changed:
            offset = 0 if window.end == self._size else window.end
            self._save_offset(offset)
            if not offset:
                os.ftruncate(self._file, 0)  # a crash before this has all delivered once more
                self._size = 0
            self._offset = offset
            self._num_left -= len(window.events)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Until there is something to deliver; whether there is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._num_left > 0, timeout_s)

    def wait_empty(self, timeout_s: float) -> bool:
        """Until all is delivered; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._num_left == 0, timeout_s)

    def close(self) -> None:
        """Give the file handles back; the events stay."""
        os.close(self._file)
        os.close(self._offsets)

    def _make_room(self, num_bytes: int) -> None:
        if self.bytes_left + num_bytes <= self._max_bytes:
            return
        if not self._has_warned:
            logger.warning(
                "%.0f MB of events wait for MLflow in %s, more than %.0f MB: each further event "
                "takes up to %g s now",
                *(self.bytes_left / 1e6, self._path, self._max_bytes / 1e6, self._max_wait_s),
            )
            self._has_warned = True
        self._changed.wait_for(
            lambda: self.bytes_left + num_bytes <= self._max_bytes, self._max_wait_s
        )

    def _write(self, line: bytes, *, durable: bool) -> None:
        """All of ``line``, or nothing."""
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, "no space is left")
            if durable:
                os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise

    @contextmanager
    def _disk_errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TrackingError(
                f"events for MLflow cannot be {verb} in {self._path} ({error})",
                "make room on its disk, then resume: what was written before is kept",
            ) from error

    def _save_offset(self, offset: int) -> None:
        os.pwrite(self._offsets, f"{offset:0{_DIGITS}}\n".encode(), 0)

    def _cut_partial_line(self) -> int:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._file, whole)
        return whole

    def _load_offset(self) -> int:
        text = os.pread(self._offsets, _DIGITS, 0).decode(errors="replace")
        offset = int(text) if len(text) == _DIGITS and text.isdigit() else 0
        is_a_lines_end = offset and os.pread(self._file, 1, offset - 1) == b"\n"
        return offset if is_a_lines_end else 0

    def _count_left(self) -> int:
        return os.pread(self._file, self.bytes_left, self._offset).count(b"\n")


def _parsed(line: bytes) -> dict[str, Any]:
    """The event; a line that something else damaged is one that will be refused."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        event = None
    if isinstance(event, dict):
        return event
    return {"kind": "damaged", "run": "", "line": line.decode(errors="replace")}
