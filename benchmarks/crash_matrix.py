"""Every write of every operation fails once in turn, by death and by error; what survived.

    python benchmarks/crash_matrix.py                             # every operation
    python benchmarks/crash_matrix.py --writers spool --every 3   # one, at every third write
    python benchmarks/crash_matrix.py --sweeps 6                  # whole sweeps of real processes

The operations and what must hold after each fault are in tests/faults/. Each attempt is a process
of its own, killed or failed at one write; another then checks what is left and repeats the
operation. Needs a C compiler (cc).
"""

import argparse
import datetime as dt
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

HERE = Path(__file__).resolve().parent
FAULTS = HERE.parent / "tests" / "faults"
_ROOT = HERE.parent
_TESTS = [_ROOT / "tests" / name for name in ("faults", "fakes", "servers")]
_SHARED = [*_TESTS, _ROOT / "infra" / "local", _ROOT]
sys.path[:0] = [str(path) for path in _SHARED]

from crash_servers import serving  # noqa: E402
from crash_sweeps import DRIVER, TRIAL, attempt, reference  # noqa: E402
from swift_server import ENVIRONMENT  # noqa: E402
from write_faults import Fault, WriteFaults, build  # noqa: E402

RESULTS = HERE / "results" / "faults" / "crash_matrix.json"
LIMIT_S = 3600


def tried(
    folder: Path,
    names: Sequence[str],
    faults: Sequence[str],
    *,
    every: int = 1,
    servers: Mapping[str, str] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Each operation's points and attempts; see :class:`fault_matrix.Attempt`.

    Args:
        names: of the operations; all where it is empty.
        faults: of :class:`write_faults.Fault`, in small letters.
        every: which write points: the first, and each so many further on.
        servers: addresses, as of :func:`crash_servers.serving`; the operations that need another
            one are left out.
    """
    (folder / "state").mkdir()
    state, library = WriteFaults(folder / "state" / "faults"), build(folder / "state")
    command = [sys.executable, str(FAULTS / "crash_points.py"), str(folder / "work")]
    command += ["--writers", *names, "--faults", *faults, "--every", str(every)]
    command += ["--servers", *(f"{name}={address}" for name, address in servers.items())]
    done = subprocess.run(
        command,
        env={**os.environ, **state.environment(library), **_environment()},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _environment() -> dict[str, str]:
    """The attempts fork: nothing may compute in threads before that."""
    paths = os.pathsep.join(map(str, _SHARED))
    plain = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**plain, **ENVIRONMENT}


def tried_sweeps(folder: Path, num_points: int) -> list[dict[str, Any]]:
    """Whole sweeps: the driver dies and meets a full disk, trials' processes die.

    ``num_points`` of the driver's writes, spread evenly over its life, and half as many of a
    trial's; the kinds of fault take turns.
    """
    library = build(folder)
    known = reference(folder, library)
    found = []
    for role, number in ((DRIVER, num_points), (TRIAL, num_points // 2)):
        total, started = known.num_points[role], time.monotonic()
        points = [1 + int(total * (n + 0.5) / number) for n in range(number)]
        kinds = itertools.cycle((Fault.KILL, Fault.FULL) if role == DRIVER else (Fault.KILL,))
        attempts = [
            attempt(known, library, role, kind, at) for at, kind in zip(points, kinds, strict=False)
        ]
        wall_s = round(time.monotonic() - started, 1)
        found.append(
            {
                "writer": attempts[0].writer,
                "points": total,
                "attempts": [asdict(each) for each in attempts],
                "wall_s": wall_s,
            }
        )
    return found


def summary(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each operation: points, and for each kind of fault how many were tried and survived."""
    rows = []
    for each in found:
        attempts = each["attempts"]
        kinds = dict.fromkeys(attempt["fault"] for attempt in attempts)
        rows.append(
            {
                "operation": each["writer"],
                "points": each["points"],
                "num_points_tried": len({attempt["at"] for attempt in attempts}),
                "tried": len(attempts),
                "whole": sum(not attempt["broken"] for attempt in attempts),
                "faults": {kind: _counted(attempts, kind) for kind in kinds},
                "wall_s": each["wall_s"],
                "broken": [attempt for attempt in attempts if attempt["broken"]],
            }
        )
    return rows


def _counted(attempts: Sequence[dict[str, Any]], kind: str) -> dict[str, int]:
    own = [attempt for attempt in attempts if attempt["fault"] == kind]
    ends = Counter(attempt["ended"] for attempt in own)
    whole = sum(not attempt["broken"] for attempt in own)
    return {"tried": len(own), "whole": whole, **dict(sorted(ends.items()))}


def keep(rows: Sequence[dict[str, Any]]) -> None:
    """Put them into the file of results, in place of what it has of the same operations."""
    old = json.loads(RESULTS.read_text())["operations"] if RESULTS.exists() else []
    merged = {row["operation"]: row for row in [*old, *rows]}
    content = {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "operations": list(merged.values()),
        "tried": sum(row["tried"] for row in merged.values()),
        "whole": sum(row["whole"] for row in merged.values()),
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--writers", nargs="*", default=[])
    parser.add_argument("--faults", nargs="+", default=[fault.name.lower() for fault in Fault][1:])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--sweeps", type=int, default=0, metavar="POINTS")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drmn-crash-matrix-") as name:
        folder = Path(name)
        found = tried_sweeps(folder, given.sweeps) if given.sweeps else _tried(folder, given)
    rows = summary(found)
    for row in rows:
        print(row["operation"], row["points"], row["faults"], len(row["broken"]), "broken")
    keep(rows)


def _tried(folder: Path, given: argparse.Namespace) -> list[dict[str, Any]]:
    with serving(folder, given.writers) as servers:
        return tried(folder, given.writers, given.faults, every=given.every, servers=servers)


if __name__ == "__main__":
    main()
