"""Full trainings of randomly drawn configurations, kept line by line so that none is done twice.

No weight depends on beta, so one training serves several betas: its validation logits are scored
with each of them after every epoch, and with the exact best one.
"""

import json
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from progress_lines import ProgressLines

from drmn.accuracy import gzsl_accuracies
from drmn.calibration import exact_beta
from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.data.dataset import load_dataset
from drmn.data.splits import validation_split
from drmn.data.store.features import FeatureStore
from drmn.training import Trainer
from search_spaces.domain import Choice, Domain, LogUniform, SearchSpace
from search_spaces.paper import BETA

_DRAWS = 20_260  # seeds the draws, apart from every search's own seed


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What all trainings share."""

    config: Config
    space: SearchSpace
    data_root: Path
    features: str
    num_betas: int


@dataclass(frozen=True, kw_only=True)
class Training:
    """One full trial; scores are the validation H after each epoch, as fractions."""

    number: int
    overrides: dict[str, Scalar]  # without beta
    betas: list[float]
    at_beta: list[list[float]]  # epoch by epoch, one for each of betas
    at_exact_beta: list[float]
    cpu_s: float


def draw(recipe: Recipe, number: int) -> tuple[dict[str, Scalar], list[float]]:
    """The configuration and the betas of training ``number``, the same on every machine."""
    random = np.random.default_rng([_DRAWS, number])
    space = {path: domain for path, domain in sorted(recipe.space.items()) if path != BETA}
    overrides = {path: _draw(domain, random) for path, domain in space.items()}
    return overrides, [float(_draw(recipe.space[BETA], random)) for _ in range(recipe.num_betas)]


def run_trainings(recipe: Recipe, num: int, file: Path, num_processes: int) -> list[Training]:
    """Trainings 0 to ``num - 1``: those that ``file`` has, and the rest, which are added to it."""
    done = {training.number: training for training in _read(file)}
    left = [number for number in range(num) if number not in done]
    progress = ProgressLines("random trainings", len(left))
    with file.open("a") as lines:
        for training in _in_processes(recipe, left, num_processes):
            lines.write(json.dumps(vars(training)) + "\n")
            lines.flush()
            done[training.number] = training
            progress.one_more(f"the last: H {100 * max(map(max, training.at_beta)):.1f} %")
    return [done[number] for number in range(num)]


def _in_processes(recipe: Recipe, numbers: list[int], num_processes: int) -> Iterator[Training]:
    if not numbers:
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(num_processes, _open, (recipe,)) as pool:
        yield from pool.imap_unordered(_train, numbers)


def _read(file: Path) -> list[Training]:
    """A line that was cut off by a kill is dropped from the file."""
    if not file.exists():
        return []
    whole = file.read_text().rpartition("\n")[0]
    file.write_text(whole + "\n" if whole else "")
    return [Training(**json.loads(line)) for line in whole.splitlines()]


_process: dict[str, Any] = {}
"""What one worker process has opened."""


def _open(recipe: Recipe) -> None:
    torch.set_num_threads(1)
    dataset = load_dataset(recipe.config.data.dataset, recipe.data_root)
    _process["recipe"] = recipe
    _process["split"] = validation_split(dataset, recipe.config.validation)
    _process["source"] = FeatureStore.open(Path(recipe.features))


def _train(number: int) -> Training:
    recipe: Recipe = _process["recipe"]
    overrides, betas = draw(recipe, number)
    config = recipe.config.with_overrides(overrides)
    started = time.process_time()
    trainer = Trainer(config, _process["split"], _process["source"])
    at_beta, at_exact = [], []
    while trainer.epoch < config.training.epochs:
        trainer.train_epoch(evaluate=False)
        logits = trainer.evaluate()
        settings = [replace(config.inference, beta=beta) for beta in betas]
        at_beta.append([gzsl_accuracies(logits, setting).harmonic for setting in settings])
        at_exact.append(exact_beta(logits, config.inference.unseen_offset).harmonic)
    return Training(
        number=number,
        overrides=overrides,
        betas=betas,
        at_beta=at_beta,
        at_exact_beta=at_exact,
        cpu_s=time.process_time() - started,
    )


def _draw(domain: Domain, random: np.random.Generator) -> Scalar:
    if isinstance(domain, Choice):
        return domain.options[int(random.integers(len(domain.options)))]
    if isinstance(domain, LogUniform):
        return float(np.exp(random.uniform(np.log(domain.low), np.log(domain.high))))
    return float(random.uniform(domain.low, domain.high))
