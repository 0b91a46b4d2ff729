"""Lead hundreds of lives of sweeps (see ``life_cycle.py``), and write down what was done to them.

A life that ends in disagreement is shortened to the steps that matter, and shown.
"""

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

from fault_conditions import conditions
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from life_cycle import SweepLifeCycle
from mortal_sweep import COUNTED, NUM_TRIALS, empty_home
from steered_sweep import SteeredTrial

from orchestration.cluster import cluster

RESULTS = Path(__file__).resolve().parent / "results" / "faults" / "state_machine.json"


def lead(num_lives: int, number: int) -> float:
    """Seconds that it took.

    Raises:
        AssertionError: books disagreed.
    """
    many = settings(
        max_examples=num_lives,
        stateful_step_count=30,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    began = time.monotonic()
    run_state_machine_as_test(seed(number)(SweepLifeCycle), settings=many)
    return time.monotonic() - began


def found(took_s: float, number: int) -> dict[str, object]:
    """What was done, for the page."""
    died = {name: count for name, count in COUNTED.items() if name.startswith("died ")}
    return {
        **conditions(),
        "seed": number,
        "took_s": took_s,
        "num_trials": NUM_TRIALS,
        "num_epochs": SteeredTrial.num_epochs,
        "sweeps": COUNTED["sweeps"],
        "trials": COUNTED["trials"],
        "epochs": COUNTED["epochs"],
        "comparisons": COUNTED["comparisons"],
        "deaths": COUNTED["deaths"],
        "died": dict(sorted(died.items(), key=lambda each: -each[1])),
        "steps": {name: n for name, n in sorted(COUNTED.items()) if not name.startswith("died ")},
        "disagreements": 0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lives", type=int, default=250)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="drmn-lives-") as folder, cluster(None):
        SweepLifeCycle.template = empty_home(Path(folder) / "template")
        took_s = lead(arguments.lives, arguments.seed)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(found(took_s, arguments.seed), indent=1) + "\n")
    print(arguments.output.read_text())


if __name__ == "__main__":
    main()
