"""How a driver bears many trials and a long time: memory, descriptors, threads, disk, and MLflow.

``load``: 1,000 trials of 50 reports. ``soak``: six simulated hours of trials that fail and are
pruned, MLflow away for ten minutes of every hour, slow checkpoints at the same times. Trials and
their clock are pretended (see ``simulated_actors.py``), all else is the product's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import linear_regression
from typing import Any

from fault_conditions import conditions

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "faults"
CASES: dict[str, list[str]] = {
    "load": ["--trials", "1000", "--epochs", "50"],
    "soak": ["--trials", "5000", "--epochs", "30", "--pruner", "asha", "--outages", "--hours", "6"],
}
TIMEOUT_S = 3000.0
KIB = 1024


def run(arguments: list[str], timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """One search in a fresh process and home, and its growth."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DRMN_", "MLFLOW_"))}
    with tempfile.TemporaryDirectory(prefix="drmn-endurance-") as home:
        output = Path(home) / "found.json"
        done = subprocess.run(
            [sys.executable, str(HERE / "endurance_run.py"), *arguments, "--output", str(output)],
            env={**kept, "DRMN_HOME": home, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{arguments} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        found: dict[str, Any] = json.loads(output.read_text())
    samples = found.pop("samples")
    return {**found, **growth(samples)}


def growth(samples: list[list[int]]) -> dict[str, Any]:
    """Of what was sampled, over the second half of the trials.

    A sample is: trials begun, resident bytes, descriptors, threads, bytes of checkpoints.
    """
    last = samples[-1][0]
    late = [each for each in samples if each[0] >= last / 2]
    trials = [each[0] for each in late]
    resident = linear_regression(trials, [each[1] for each in late])
    stored = linear_regression(trials, [each[4] for each in late])
    return {
        "num_samples": len(samples),
        "resident_bytes_half": late[0][1],
        "resident_bytes_end": late[-1][1],
        "resident_kib_per_trial": resident.slope / KIB,
        "stored_kib_per_trial": stored.slope / KIB,
        "descriptors": [min(each[2] for each in late), max(each[2] for each in late)],
        "threads": [min(each[3] for each in late), max(each[3] for each in late)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=list(CASES))
    for name in parser.parse_args().cases:
        found = {**conditions(), **run(CASES[name])}
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
        print(name, json.dumps(found))


if __name__ == "__main__":
    main()
