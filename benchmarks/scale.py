"""Where does one driver stop scaling? Our search on 1 to 200 pretend nodes of 8 GPUs.

Tune's controller, our searcher, ASHA with its journal, the ledger and the MLflow writer are real;
trials are pretended (see ``simulated_actors.py`` and docs/scale.md). Prints a table and writes
JSON. ``--nodes 2 --trials 20`` is a check that writes nothing unless told where.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from measuring import machine

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "scale.json"
CASES = (
    (1, 100, "tpe"),
    (8, 400, "tpe"),
    (64, 1500, "tpe"),
    (200, 3000, "random"),
    (64, 10_000, "random"),
    (200, 10_000, "random"),
)
"""Nodes, trials and sampler of each run."""
LIMIT_S, TIMEOUT_S = 2400.0, 2700.0
"""Of a run: when it begins no more trials, and when it is ended."""
TARGET_NODES, TARGET = 64, 0.95


def run(nodes: int, trials: int, sampler: str, left_out: dict[str, float]) -> dict[str, object]:
    """One case in a fresh process and home."""
    with tempfile.TemporaryDirectory(prefix="drmn-scale-") as folder:
        output = Path(folder) / "found.json"
        command = [sys.executable, str(HERE / "scale_run.py"), "--sampler", sampler]
        command += ["--nodes", str(nodes), "--trials", str(trials), "--output", str(output)]
        command += ["--limit-s", str(LIMIT_S)]
        for name, value in left_out.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        _call(command, Path(folder))
        found: dict[str, object] = json.loads(output.read_text())
    return found


def measured(script: str) -> dict[str, float]:
    """What ``script``, beside this one, prints last: seconds by name."""
    with tempfile.TemporaryDirectory(prefix="drmn-scale-") as folder:
        lines = _call([sys.executable, str(HERE / script)], Path(folder)).splitlines()
    found: dict[str, float] = json.loads(lines[-1])
    return found


def _call(command: list[str], home: Path) -> str:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DRMN_", "MLFLOW_"))}
    environ = {**kept, "DRMN_HOME": str(home), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


HEADER = (
    f"{'nodes':>5}{'GPUs':>6}{'trials':>8} {'sampler':8}{'events':>8}{'used':>8}{'steady':>8}"
    f"{'load':>7}{'late p50':>10}{'p99':>9}{'ask':>9}{'CPU/trial':>11}{'memory/trial':>14}"
)


def line(row: dict[str, object]) -> str:
    """One row of the table; times in ms, memory in KiB."""
    late, steady = row["latency_s"], row["utilisation_steady"]
    memory = row["peak_bytes"] - row["peak_bytes_before"]  # type: ignore[operator]
    steady_text = f"{steady:8.1%}" if steady is not None else f"{'-':>8}"
    return (
        f"{row['nodes']:5}{row['num_slots']:6}{row['num_trials']:8} {row['sampler']:8}"
        f"{row['num_events']:8}{row['utilisation']:8.1%}{steady_text}{row['load']:7.1%}"
        f"{1e3 * late['p50']:8.1f}ms{1e3 * late['p99']:7.0f}ms"  # type: ignore[index]
        f"{1e3 * row['ask_s']['last']:7.0f}ms"  # type: ignore[index]
        f"{1e3 * row['driver_cpu_s'] / row['num_trials']:9.1f}ms"  # type: ignore[operator]
        f"{memory / row['num_trials'] / 1024:11.1f}KiB"
    )


def results(
    before: dict[str, object],
    left_out: dict[str, float],
    ask_cost: dict[str, float],
    rows: list[dict[str, object]],
) -> dict[str, object]:
    """What is written down."""
    steady = [row["utilisation_steady"] for row in rows if row["nodes"] == TARGET_NODES]
    return {
        "machine": before,
        "versions": {name: version(name) for name in ("ray", "optuna", "mlflow")},
        "left_out": left_out,
        "tpe_ask_s": ask_cost,
        "rows": rows,
        "target": {"nodes": TARGET_NODES, "utilisation_steady": TARGET},
        "met": bool(steady) and all(share is not None and share > TARGET for share in steady),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, help="one run on so many, instead of all")
    parser.add_argument("--trials", type=int, default=100, help="of that run")
    parser.add_argument("--sampler", default="tpe", choices=["tpe", "random"])
    parser.add_argument("--output", type=Path, help=f"JSON file (default, if full: {RESULTS})")
    arguments = parser.parse_args()
    one = (arguments.nodes, arguments.trials, arguments.sampler)
    output = arguments.output or (None if arguments.nodes else RESULTS)
    before, left_out = machine(), measured("left_out.py")
    print({name: f"{1e6 * seconds:.2f} us" for name, seconds in left_out.items()})
    ask_cost = {} if arguments.nodes else measured("ask_cost.py")
    print({f"TPE's ask after {size}": f"{1e3 * s:.0f} ms" for size, s in ask_cost.items()})
    print(HEADER, flush=True)
    rows: list[dict[str, object]] = []
    for case in [one] if arguments.nodes else CASES:
        rows.append(run(*case, left_out))
        print(line(rows[-1]), flush=True)
        if output is not None:  # after every case: the last takes as long as all before it
            output.parent.mkdir(parents=True, exist_ok=True)
            found = results(before, left_out, ask_cost, rows)
            output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
