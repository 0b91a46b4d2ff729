"""Cores, memory, disk and shared memory of this machine."""

import os
import shutil
from pathlib import Path

from orchestration.doctor.finding import Finding, bad, good, warning
from orchestration.settings import HOME, Settings

GB = 1e9
LOW_MEMORY_GB, SCARCE_MEMORY_GB = 2.0, 4.0
LOW_DISK_GB, SCARCE_DISK_GB = 1.0, 10.0
SCARCE_SHM_GB = 1.0
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
_SHM = Path("/dev/shm")


def check_machine(settings: Settings) -> list[Finding]:
    """Everything above."""
    found = [cores(len(os.sched_getaffinity(0))), memory(memory_bytes())]
    found.append(disk(settings.home))
    if _SHM.is_dir():
        found.append(shared_memory(shutil.disk_usage(_SHM).total))
    return found


def cores(num_cores: int) -> Finding:
    """A driver and one trial need a core each."""
    if num_cores > 1:
        return good(f"{num_cores} cores")
    return warning("one core: the driver and a trial share it", "expect it to be slow")


def memory_bytes() -> int:
    """Of the machine, or what its container may use."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if _CGROUP_LIMIT.is_file() and (limit := _CGROUP_LIMIT.read_text().strip()).isdecimal():
        return min(total, int(limit))
    return total


def memory(total_bytes: int) -> Finding:
    """Ray with one trial takes about 2 GB."""
    text = f"{total_bytes / GB:.1f} GB of memory"
    if total_bytes < LOW_MEMORY_GB * GB:
        return bad(f"{text}; Ray and one trial need {LOW_MEMORY_GB:g} GB", "use a larger machine")
    if total_bytes < SCARCE_MEMORY_GB * GB:
        return warning(f"{text}: one trial at a time", "give --max-concurrent 1")
    return good(text)


def disk(home: Path) -> Finding:
    """Room below DRMN_HOME, and whether it can be written."""
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return bad(f"{home} cannot be written", f"set {HOME} to a folder of your own")
    return room(home, shutil.disk_usage(there).free)


def room(home: Path, free_bytes: int) -> Finding:
    """What ``free_bytes`` are enough for."""
    text = f"{free_bytes / GB:.1f} GB free for {home}"
    remedy = f"make room, or set {HOME} to another disk"
    if free_bytes < LOW_DISK_GB * GB:
        return bad(text, remedy)
    return warning(text, remedy) if free_bytes < SCARCE_DISK_GB * GB else good(text)


def shared_memory(size_bytes: int) -> Finding:
    """Ray keeps its objects there, or more slowly on the disk."""
    text = f"{size_bytes / GB:.1f} GB in {_SHM}"
    if size_bytes >= SCARCE_SHM_GB * GB:
        return good(text)
    return warning(
        f"{text}: Ray's object store falls back to the disk",
        "give the container more, as with --shm-size=2g",
    )
