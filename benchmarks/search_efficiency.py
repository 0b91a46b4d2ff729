"""Epochs until a search is within half a point of what 64 full random trials find.

On CIFAR-AwA2 with cached DenseNet-169 features and a cheap recipe (the preset without the SIT,
narrower, ten short epochs). All scores are H on validation; no test image is looked at. Ours is
the sweep as it comes (TPE, ASHA, two trials at once); random search trains each trial to its end,
one after the other. Nothing is done twice: run it again with the same ``--home`` to continue.

The target is the best H, at any epoch, of 64 random trainings, less 0.005. Random search draws
from other trainings: each of its seeds takes them in an order of its own with betas of its own,
since no weight depends on beta. Its seeds therefore differ less than wholly separate ones would;
the share of all its trials that reach the target is given beside them. All weights are drawn with
one training seed: seeds differ in what is tried.
"""

import argparse
import json
import statistics
from contextlib import nullcontext
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine
from random_trainings import Recipe, Training, run_trainings
from reaching import Epoch, Reach, best, reach, spread
from rich.console import Console
from searched import ARMS, Arm, searched, sweep_request

from drmn.config import parse_override
from drmn.data.dataset import load_dataset
from drmn.presets import cifar_awa2
from orchestration.cluster import cluster
from orchestration.levels import prepare_levels
from orchestration.settings import Settings, read_settings
from search_spaces.registry import search_space

RESULTS = Path(__file__).resolve().parent / "results" / "search_efficiency.json"
DATASET = "cifar-awa2"
TOLERANCE = 0.005
TARGET_RATIO = 3.0
RECIPE = {
    "model.sit.enabled": False,
    "model.fusion.channels": 64,
    "training.epochs": 10,
    "training.steps_per_epoch": 10,
    "validation.unseen_class_fraction": 0.2,
    "validation.seen_image_fraction": 0.05,
}


def reference(trainings: list[Training]) -> float:
    """The best H of full random trials; each uses the first of its betas."""
    return max(scores[0] for training in trainings for scores in training.at_beta)


def random_search(trainings: list[Training], seed: int, *, exact: bool) -> list[Epoch]:
    """The trainings in an order of the seed's own, at betas of its own (or the exact one)."""
    order = np.random.default_rng(seed).permutation(len(trainings))
    epochs = []
    for training in (trainings[place] for place in order):
        scores = [at[1 + seed] for at in training.at_beta]
        chosen = training.at_exact_beta if exact else scores
        epochs += [(str(training.number), score) for score in chosen]
    return epochs


def share_that_reaches(trainings: list[Training], target: float) -> float:
    """Of all pairs of a training and one of its betas, the first beta aside."""
    hits = [
        max(column) >= target
        for training in trainings
        for column in list(zip(*training.at_beta, strict=True))[1:]
    ]
    return sum(hits) / len(hits)


def summary(runs: list[list[Epoch]], target: float) -> dict[str, Any]:
    """Over seeds: epochs and trials to the target, and the best H of all."""
    reaches: list[Reach] = [reach(epochs, target) for epochs in runs]
    reached = [found.reached for found in reaches]
    return {
        "epochs": asdict(spread([found.num_epochs for found in reaches], reached)),
        "trials": asdict(spread([found.num_trials for found in reaches], reached)),
        "reached_by_first_trial": sum(r.reached and r.num_trials == 1 for r in reaches),
        "best_h": [best(epochs) for epochs in runs],
        "epochs_in_all": [len(epochs) for epochs in runs],
        "seeds": [asdict(found) for found in reaches],
    }


def verdict(arms: dict[str, Any]) -> dict[str, Any]:
    """Random search's median over ours; a median that is a bound makes the ratio one."""
    ours, random = (arms[name]["epochs"] for name in ("ours", "random"))
    ratio = random["median"] / ours["median"]
    certain = not ours["median_is_bound"]
    return {
        "random_over_ours": ratio,
        "is_lower_bound": random["median_is_bound"] and certain,
        "is_upper_bound": not certain,
        "met": certain and ratio >= TARGET_RATIO,
        "target": TARGET_RATIO,
    }


def table(arms: dict[str, Any]) -> str:
    lines = [f"{'':34}{'epochs':>24}{'trials':>24}{'best H':>8}"]
    for name, arm in arms.items():
        cells = [_cell(arm[unit]) for unit in ("epochs", "trials")]
        lines.append(f"{name:34}{cells[0]:>24}{cells[1]:>24}{100 * max(arm['best_h']):8.1f}")
    return "\n".join(lines)


def _cell(found: dict[str, Any]) -> str:
    """Median (lowest-highest, how many never reached it); ``>`` marks a lower bound."""
    median = f"{'>' if found['median_is_bound'] else ''}{found['median']:g}"
    highest = f"{'>' if found['highest_is_bound'] else ''}{found['highest']}"
    return f"{median} ({found['lowest']}-{highest}, {found['num_censored']} never)"


def measure(recipe: Recipe, arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """The random trainings, then our sweeps; the table's rows."""
    file = settings.home / f"random-{recipe.config.hash()}-{recipe.num_betas}.jsonl"
    num = arguments.reference + arguments.pool
    trainings = run_trainings(recipe, num, file, arguments.jobs)
    first, pool = trainings[: arguments.reference], trainings[arguments.reference :]
    target = reference(first) - TOLERANCE
    print(f"target: H {100 * target:.2f} %", flush=True)
    seeds = range(arguments.seeds)
    arms = {
        "random": summary([random_search(pool, s, exact=False) for s in seeds], target),
        "random, exact beta": summary([random_search(pool, s, exact=True) for s in seeds], target),
    }
    print(table(arms), flush=True)
    with cluster(None) if arguments.arms else nullcontext():
        for arm in (arm for arm in ARMS if arm.name in arguments.arms):
            arms[arm.name] = summary(_sweeps(recipe, arm, arguments, settings), target)
            print(table(arms), flush=True)
    return {
        "target_h": target,
        "cpu_s_of_a_full_trial": statistics.median(t.cpu_s for t in trainings),
        "share_of_random_trials_that_reach_it": share_that_reaches(pool, target),
        "arms": arms,
        **(verdict(arms) if "ours" in arms else {}),
    }


def _sweeps(
    recipe: Recipe, arm: Arm, arguments: argparse.Namespace, settings: Settings
) -> list[list[Epoch]]:
    requests = [
        sweep_request(recipe, arm, seed, arguments.trials, arguments.jobs)
        for seed in range(arguments.seeds)
    ]
    return [searched(request, recipe, settings) for request in requests]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-root", type=Path, required=True, help="holds CIFAR_AWA2")
    parser.add_argument("--weights", type=Path, required=True, help="DenseNet-169's, ImageNet")
    parser.add_argument("--home", type=Path, required=True, help="what is done is kept here")
    parser.add_argument("--reference", type=int, default=64, help="trainings that set the target")
    parser.add_argument("--pool", type=int, default=96, help="trainings random search draws from")
    parser.add_argument("--trials", type=int, default=64, help="of each of our sweeps")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="trainings, or trials, at once")
    names = [arm.name for arm in ARMS]
    parser.add_argument("--arms", nargs="*", default=names, choices=names)
    parser.add_argument("--set", nargs="*", default=[], help="changes of the recipe, PATH=VALUE")
    parser.add_argument("--output", type=Path, help=f"JSON file (default, if whole: {RESULTS})")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    overrides = {**RECIPE, **dict(parse_override(text) for text in arguments.set)}
    overrides["backbone.weights"] = str(arguments.weights.resolve())
    config = cifar_awa2().with_overrides(overrides)
    own = read_settings({"DRMN_HOME": str(arguments.home)})
    own.home.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset(DATASET, arguments.data_root)
    features = prepare_levels(dataset, config, read_settings().cache_root, Console())
    assert features is not None
    recipe = Recipe(
        config=config,
        space=search_space(DATASET),
        data_root=arguments.data_root.resolve(),
        features=features,
        num_betas=1 + arguments.seeds,
    )
    before = machine()
    found = measure(recipe, arguments, own)
    results = {
        "machine": before,
        "versions": {name: version(name) for name in ("ray", "optuna")},
        "recipe": {path: value for path, value in overrides.items() if path in RECIPE},
        "sizes": {
            name: getattr(arguments, name)
            for name in ("reference", "pool", "trials", "seeds", "jobs")
        },
        **found,
    }
    print({key: results[key] for key in ("random_over_ours", "met") if key in results})
    output = arguments.output or RESULTS
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
