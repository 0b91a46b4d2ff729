"""Every write of every operation fails once in turn, by death and by error; what survived.

    python benchmarks/crash_matrix.py                   # all of it
    python benchmarks/crash_matrix.py --writers books   # one operation; prints only

The operations and what must hold after each fault are in tests/faults/. Each attempt is a process
of its own, killed or failed at one write; another then checks what is left and repeats the
operation. Needs a C compiler (cc).
"""

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FAULTS = HERE.parent / "tests" / "faults"
_SHARED = [FAULTS, HERE.parent / "tests" / "fakes", HERE.parent / "tests" / "servers", HERE.parent]
sys.path[:0] = [str(path) for path in _SHARED]

from mlflow_server import MlflowServer  # noqa: E402
from write_faults import WriteFaults, build  # noqa: E402

RESULTS = HERE / "results" / "faults" / "crash_matrix.json"
LIMIT_S = 3600


def tried(
    folder: Path,
    names: Sequence[str],
    faults: Sequence[str],
    *,
    every: int = 1,
    mlflow: str = "",
) -> list[dict[str, Any]]:
    """Each operation's points and attempts; see :class:`fault_matrix.Attempt`.

    Args:
        names: of the operations; all where it is empty.
        faults: of :class:`write_faults.Fault`, in small letters.
        every: which write points: the first, and each so many further on.
        mlflow: address of a server; "": the operations that need one are left out.
    """
    (folder / "state").mkdir()
    state, library = WriteFaults(folder / "state" / "faults"), build(folder / "state")
    command = [sys.executable, str(FAULTS / "crash_points.py"), str(folder / "work")]
    command += ["--writers", *names, "--faults", *faults, "--every", str(every)]
    done = subprocess.run(
        [*command, "--mlflow", mlflow],
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
    return {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


def summary(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each operation: points, and for each kind of fault how many were tried and survived."""
    rows = []
    for each in found:
        attempts = each["attempts"]
        kinds = dict.fromkeys(attempt["fault"] for attempt in attempts)
        row = {"writer": each["writer"], "points": each["points"], "wall_s": each["wall_s"]}
        row["faults"] = {kind: _counted(attempts, kind) for kind in kinds}
        row["broken"] = [attempt for attempt in attempts if attempt["broken"]]
        rows.append(row)
    return rows


def _counted(attempts: Sequence[dict[str, Any]], kind: str) -> dict[str, int]:
    own = [attempt for attempt in attempts if attempt["fault"] == kind]
    ends = Counter(attempt["ended"] for attempt in own)
    whole = sum(not attempt["broken"] for attempt in own)
    return {"tried": len(own), "whole": whole, **dict(sorted(ends.items()))}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--writers", nargs="*", default=[])
    parser.add_argument("--faults", nargs="+", default=["kill", "torn", "eio", "enospc", "full"])
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drmn-crash-matrix-") as name:
        server = MlflowServer(Path(name))
        server.start()
        try:
            found = tried(
                Path(name), given.writers, given.faults, every=given.every, mlflow=server.uri
            )
        finally:
            server.stop()
    rows = summary(found)
    for row in rows:
        print(row["writer"], row["points"], row["faults"], len(row["broken"]), "broken")
    if not given.writers and given.every == 1:
        content = {"date": dt.date.today().isoformat(), **_versions(), "operations": rows}
        RESULTS.write_text(json.dumps(content, indent=1) + "\n")
        print(RESULTS)


def _versions() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
