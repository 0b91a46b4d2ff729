"""Faults at a process's writes: a small C library, preloaded, counts them and fails one of them."""

import mmap
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("write_faults.c")
STATE, ROLE = "DRMN_FAULT_STATE", "DRMN_FAULT_ROLE"
_FORMAT = struct.Struct("lliii4096s4096s")


class Fault(IntEnum):
    """What happens at the chosen write; the numbers are the C source's."""

    COUNT = 0
    """Nothing: writes are counted, and the chosen one is named."""
    KILL = 1
    """kill -9 before it."""
    TORN = 2
    """kill -9 after half of its bytes; before it where it has none."""
    EIO = 3
    """It fails once: the device."""
    ENOSPC = 4
    """It fails once, if it needs room: the disk is full for a moment."""
    FULL = 5
    """Half of its bytes are written, then the disk is full for good."""
    RESET = 6
    """It fails once: the connection is reset."""

    @property
    def is_death(self) -> bool:
        return self in (Fault.KILL, Fault.TORN)


@dataclass(frozen=True)
class Seen:
    """How many writes there were so far, whether the fault has happened, and at which call."""

    num_points: int
    has_fired: bool
    label: str


class WriteFaults:
    """The state that a family of processes shares; ``file`` is outside of what is watched."""

    def __init__(self, file: Path) -> None:
        self.file = file
        if not file.exists():
            file.write_bytes(bytes(_FORMAT.size))
        with file.open("r+b") as handle:
            self._memory = mmap.mmap(handle.fileno(), _FORMAT.size)

    def arm(self, folder: Path, fault: Fault = Fault.COUNT, at: int = 0, port: int = 0) -> None:
        """Watch writes below ``folder``, and to ``port`` if it is not 0; point ``at`` fails."""
        self._pack(f"{folder}", fault, at, port)

    def disarm(self) -> None:
        """Watch nothing."""
        self._pack("", Fault.COUNT, 0, 0)

    def seen(self) -> Seen:
        count, _, _, _, fired, _, label = _FORMAT.unpack(self._memory)
        return Seen(count, bool(fired), label.split(b"\0")[0].decode())

    def environment(self, library: Path, role: str = "") -> Mapping[str, str]:
        """Of a process that takes part, and what it starts, where ``role`` is in its command."""
        return {"LD_PRELOAD": str(library), STATE: str(self.file), ROLE: role}

    def _pack(self, folder: str, fault: Fault, at: int, port: int) -> None:
        self._memory[:] = _FORMAT.pack(0, at, fault, port, 0, folder.encode(), b"")


def missing_compiler() -> str:
    """Why the library cannot be built here; "" where it can."""
    if os.uname().sysname != "Linux":
        return "write faults are preloaded as on Linux only"
    return "" if shutil.which("cc") else "no C compiler (cc) here to build write_faults.c with"


def build(folder: Path) -> Path:
    """The compiled library, in ``folder``."""
    library = folder / "write_faults.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return library
