"""What a command costs with everything it starts: CPU seconds of its whole process tree (Linux).

A parent's own record of its children misses those it does not wait for, and Ray's node daemon
waits for none of its workers. So the tree is looked at many times a second, and of every process
that was ever in it the last reading of its CPU clock counts. What a process uses between its last
reading and its end is missed: at most one interval of one core for each process.
"""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

Process = tuple[int, int]
"""Id and start time in ticks since boot: ids are used again, the pair is not."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One process at one moment."""

    process: Process
    parent_id: int
    name: str
    cpu_s: float  # user and system, its own alone


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one command."""

    cpu_s: float
    wall_s: float
    num_processes: int
    cpu_s_by_name: dict[str, float]
    """By what processes call themselves."""


@dataclass(kw_only=True)
class CpuTree:
    """CPU seconds of a process and of all that descend from it, living or dead."""

    root_id: int
    last: dict[Process, Reading] = field(default_factory=dict)

    def update(self, readings: Sequence[Reading]) -> None:
        """Take in one look at all processes. Who was in the tree stays in it, also as an orphan."""
        known = set(self.last)
        pending = [reading for reading in readings if reading.process not in known]
        living = {r.process[0] for r in readings if r.process in known} | {self.root_id}
        while joining := [r for r in pending if r.parent_id in living or r.process[0] in living]:
            living |= {reading.process[0] for reading in joining}
            known |= {reading.process for reading in joining}
            pending = [reading for reading in pending if reading.process not in known]
        self.last |= {r.process: r for r in readings if r.process in known}

    def by_name(self) -> dict[str, float]:
        """CPU seconds by the last name of each process, the dearest first."""
        sums: Counter[str] = Counter()
        for reading in self.last.values():
            sums[reading.name] += reading.cpu_s  # type: ignore[assignment]
        return dict(sums.most_common())


def run_and_account(
    command: Sequence[str],
    environ: dict[str, str],
    log: Path,
    *,
    timeout_s: float,
    interval_s: float = 0.05,
) -> Cost:
    """Run ``command`` to its end; its output goes to ``log``.

    Raises:
        SystemExit: it failed, or took longer than ``timeout_s``.
    """
    started = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
    tree = CpuTree(root_id=process.pid)
    while process.poll() is None:
        tree.update(read_processes())
        if time.perf_counter() - started > timeout_s:
            process.terminate()
        time.sleep(interval_s)
    wall_s = time.perf_counter() - started
    if process.returncode != 0:
        raise SystemExit(f"{command} ended with {process.returncode}:\n{log.read_text()[-3000:]}")
    by_name = tree.by_name()
    return Cost(
        cpu_s=sum(by_name.values()),
        wall_s=wall_s,
        num_processes=len(tree.last),
        cpu_s_by_name=by_name,
    )


def read_processes() -> list[Reading]:
    """All processes of this machine that can be read."""
    found = (_read(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [reading for reading in found if reading is not None]


def parse_stat(text: str) -> Reading:
    """A line of /proc/N/stat; the name, second, is in brackets and may hold anything."""
    process_id, _, rest = text.partition(" (")
    name, _, numbers = rest.rpartition(") ")
    fields = numbers.split()
    return Reading(
        process=(int(process_id), int(fields[19])),
        parent_id=int(fields[1]),
        name=name,
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICKS_PER_S,
    )


def _read(process_id: int) -> Reading | None:
    try:
        return parse_stat((_PROC / str(process_id) / "stat").read_text())
    except (FileNotFoundError, ProcessLookupError):  # it ended in the meantime
        return None
