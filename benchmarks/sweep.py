"""What a trial costs besides its training: our sweep, stock Ray Tune and plain Optuna.

Trivial trials report scripted metrics, twelve for each of five epochs. Every contender runs in a
process of its own with few and with many trials; the difference, divided by the number of trials
between them, is the cost of one, and what starting costs (imports, Ray's daemons, MLflow's
database) falls out, for all alike. CPU seconds are those of the whole process tree. Prints a
table, writes JSON. ``--few 1 --many 3 --rounds 1`` is a check that writes nothing unless told
where.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from cpu_tree import Cost, run_and_account
from measuring import machine

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "sweep.json"
FEW, MANY, ROUNDS = 4, 44, 3
TIMEOUT_S = 600.0

CONTENDERS = {
    "ours": ["overhead_ours.py"],
    "stock Tune": ["overhead_stock.py"],
    "stock Tune, actors reused": ["overhead_stock.py", "--reuse-actors"],
    "plain Optuna": ["overhead_optuna.py"],
}
OURS, STOCK = "ours", "stock Tune"
TARGET_CPU_S = 0.2
TARGET_RATIO = 5.0


def per_trial(few: Cost, many: Cost, num_between: int) -> dict[str, float]:
    """One trial's share of what the longer run cost more; the rest of the shorter is start-up."""
    cpu_s = (many.cpu_s - few.cpu_s) / num_between
    wall_s = (many.wall_s - few.wall_s) / num_between
    return {"cpu_s": cpu_s, "wall_s": wall_s}


def run(contender: str, num_trials: int) -> Cost:
    """One run in a fresh home."""
    script, *options = CONTENDERS[contender]
    with tempfile.TemporaryDirectory(prefix="drmn-overhead-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("DRMN_", "MLFLOW_"))},
            "DRMN_HOME": str(home),
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, str(HERE / script), str(num_trials), str(home), *options]
        return run_and_account(command, environ, Path(folder) / "log.txt", timeout_s=TIMEOUT_S)


def measure(contenders: list[str], few: int, many: int, rounds: int) -> dict[str, object]:
    """All contenders in turn, ``rounds`` times over; medians and ranges."""
    runs: dict[str, list[dict[str, object]]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in contenders:
            costs = run(name, few), run(name, many)
            share = per_trial(*costs, many - few)
            runs[name].append({**share, "few": asdict(costs[0]), "many": asdict(costs[1])})
            print(f"round {number + 1} of {rounds}  {line(name, share)}", flush=True)
    return {name: {**summary(found), "rounds": found} for name, found in runs.items()}


def summary(runs: list[dict[str, object]]) -> dict[str, float]:
    """Median over rounds, with the lowest and the highest CPU time."""
    cpu_s = [float(run["cpu_s"]) for run in runs]  # type: ignore[arg-type]
    wall_s = [float(run["wall_s"]) for run in runs]  # type: ignore[arg-type]
    return {
        "cpu_s": statistics.median(cpu_s),
        "cpu_s_lowest": min(cpu_s),
        "cpu_s_highest": max(cpu_s),
        "wall_s": statistics.median(wall_s),
    }


def verdict(results: dict[str, object]) -> dict[str, object]:
    """Our two targets, where both contenders were measured."""
    if OURS not in results or STOCK not in results:
        return {}
    ours, stock = (results[name]["cpu_s"] for name in (OURS, STOCK))  # type: ignore[index]
    return {
        "stock_over_ours": stock / ours,
        "met": stock / ours >= TARGET_RATIO and ours < TARGET_CPU_S,
        "targets": {"stock_over_ours": TARGET_RATIO, "cpu_s": TARGET_CPU_S},
    }


def line(name: str, share: dict[str, float]) -> str:
    return f"{name:28}{share['cpu_s']:8.3f} CPU-s{share['wall_s']:8.3f} s of a clock, per trial"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--few", type=int, default=FEW, help="trials of the short run")
    parser.add_argument("--many", type=int, default=MANY, help="trials of the long run")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    parser.add_argument("--output", type=Path, help=f"JSON file (default, if full: {RESULTS})")
    arguments = parser.parse_args()
    if not 0 < arguments.few < arguments.many:
        parser.error(f"--few is {arguments.few}, but must be > 0 and < --many, {arguments.many}")
    before = machine()
    found = measure(arguments.contenders, arguments.few, arguments.many, arguments.rounds)
    print()
    for name, row in found.items():
        print(line(name, row))  # type: ignore[arg-type]
    results = {
        "machine": before,
        "versions": {name: version(name) for name in ("ray", "optuna", "mlflow")},
        "trials": {"few": arguments.few, "many": arguments.many},
        "per_trial": found,
        **verdict(found),
    }
    print({key: value for key, value in results.items() if key in ("stock_over_ours", "met")})
    is_full = (arguments.few, arguments.many, arguments.contenders) == (FEW, MANY, list(CONTENDERS))
    output = arguments.output or (RESULTS if is_full else None)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
