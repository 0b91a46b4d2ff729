"""How long TPE takes for one new trial, by the number of trials before it.

Run by ``scale.py`` in a process of its own; prints a JSON object. The history is what a search with
ASHA leaves: every trial has values after 2 epochs, half of them after 4, and so on.
"""

import json
import random
import statistics
import time
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from drmn.presets import cub
from orchestration.request import SweepRequest
from orchestration.searcher.samplers import distribution, sampler
from search_spaces.registry import search_space

SIZES = (100, 1000, 3000, 10_000)
NUM_RUNNING = 512
NUM_ASKS = 5


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    print(json.dumps({size: ask_s(size) for size in SIZES}))


def ask_s(num_trials: int) -> float:
    """Seconds, median; up to 512 of the trials, at most half, still run."""
    space = search_space("cub")
    request = SweepRequest(
        name="ask",
        variant="+ensemble",
        config=cub(),
        space=space,
        data_root=Path("nowhere"),
        num_trials=num_trials + NUM_ASKS,
    )
    study = optuna.create_study(direction="maximize")
    num_running = min(NUM_RUNNING, num_trials // 2)
    draw = random.Random(0)
    study.add_trials([_ended(draw) for _ in range(num_trials - num_running)])
    distributions = {path: distribution(domain) for path, domain in space.items()}
    study.sampler = optuna.samplers.RandomSampler(seed=0)
    for _ in range(num_running):
        study.ask(distributions).report(draw.random(), 1)
    times = []
    for _ in range(NUM_ASKS):
        study.sampler = sampler(request, len(study.get_trials(deepcopy=False)))
        started = time.perf_counter()
        study.ask(distributions)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def _ended(draw: random.Random) -> FrozenTrial:
    space = search_space("cub")
    last = next((epochs for epochs in (2, 4, 8, 16) if draw.random() < 0.5), 30)
    values = {epoch: draw.random() for epoch in range(1, last + 1)}
    return create_trial(
        state=TrialState.COMPLETE if last == 30 else TrialState.PRUNED,
        value=values[last] if last == 30 else None,
        params={path: domain.at(draw.random()) for path, domain in space.items()},
        distributions={path: distribution(domain) for path, domain in space.items()},
        intermediate_values=values,
    )


if __name__ == "__main__":
    main()
