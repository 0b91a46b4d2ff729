"""One final run: a configuration trained on all of trainval, then evaluated on test once."""

import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from drmn.atomic import is_temporary, replacing
from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.data.dataset import load_dataset
from drmn.data.splits import test_split
from drmn.metrics import score
from drmn.presets import preset
from drmn.reading import reading
from drmn.training import Trainer
from orchestration.levels import open_levels
from orchestration.provenance.load import LoadMeter
from orchestration.provenance.machine import machine
from orchestration.study.statistics import Interval, t_interval
from orchestration.trainable import TrialContext, device_memory_errors
from search_spaces.domain import SearchSpace
from search_spaces.paper import BETA

SCORES_FILE = "scores.json"
WINNER, PAPER = "winner", "paper"


@dataclass(frozen=True, kw_only=True)
class FinalResult:
    """What a final run leaves: scores as fractions, losses per epoch, files by name."""

    scores: dict[str, float]
    history: list[dict[str, float]]
    files: dict[str, bytes]
    machine: dict[str, str] = field(default_factory=dict)
    """That trained it; empty where it was not written down."""

    def save(self, folder: Path) -> None:
        """Each file whole; ``scores.json`` last, so that its presence means all are there."""
        for name, file in self.files.items():
            with replacing(folder / name) as temporary:
                temporary.write_bytes(file)
        with replacing(folder / SCORES_FILE) as temporary:
            content = {"scores": self.scores, "history": self.history, "machine": self.machine}
            temporary.write_text(json.dumps(content))

    @classmethod
    def load(cls, folder: Path) -> "FinalResult":
        """Inverse of :meth:`save`.

        Raises:
            DataError: ``scores.json`` is damaged.
        """
        paths = [path for path in sorted(folder.iterdir()) if not is_temporary(path)]
        remedy = f"remove the folder {folder}; the run is then made again on resume"
        with reading(folder / SCORES_FILE, "a final run's scores", remedy):
            content = json.loads((folder / SCORES_FILE).read_text())
            files = {path.name: path.read_bytes() for path in paths if path.name != SCORES_FILE}
            return cls(**content, files=files)


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A configuration that is tested, once per seed from its own seed on."""

    name: str
    config: Config
    num_seeds: int

    @property
    def seeds(self) -> range:
        """``training.seed`` of each run."""
        first = self.config.training.seed
        return range(first, first + self.num_seeds)

    def run_config(self, seed: int) -> Config:
        """Of one run."""
        return self.config.with_overrides({"training.seed": seed})

    def folder(self, root: Path, seed: int) -> Path:
        """Where one run's result lies below ``root``."""
        return root / f"{self.name}-{self.config.hash()}" / f"seed-{seed}"


@dataclass(frozen=True, kw_only=True)
class FinalScores:
    """A contender with the result of every seed."""

    contender: Contender
    results: Mapping[int, FinalResult]

    def interval(self, metric: str) -> Interval:
        """Mean over seeds with Student's 95 % limits, which are NaN for one seed."""
        return t_interval(np.array([each.scores[metric] for each in self.results.values()]))

    def means(self) -> dict[str, float]:
        """Of every metric, over the seeds."""
        return {name: self.interval(name).mean for name in self._metrics}

    def limits(self) -> dict[str, dict[str, float]]:
        """``{"low": {metric: value}, "high": ...}``; empty for one seed."""
        found = {name: self.interval(name) for name in self._metrics}
        if any(math.isnan(each.low) for each in found.values()):
            return {}
        low = {name: each.low for name, each in found.items()}
        return {"low": low, "high": {name: each.high for name, each in found.items()}}

    @property
    def _metrics(self) -> list[str]:
        return list(next(iter(self.results.values())).scores)


def train_and_test(context: TrialContext) -> FinalResult:
    """Train ``context``'s configuration on trainval; read the test images once."""
    torch.set_num_threads(context.num_threads)
    config = Config.from_flat(context.config)
    dataset = load_dataset(config.data.dataset, Path(context.data_root))
    source = open_levels(dataset, config, context.features)
    with device_memory_errors(config):
        trainer = Trainer(config, test_split(dataset), source, device=context.device)
        load = LoadMeter(context.device)
        epochs = range(config.training.epochs)
        history = [_epoch(trainer, load) for _ in epochs]
        logits = trainer.evaluate()
    with tempfile.TemporaryDirectory(prefix="drmn-final-") as name:
        folder = Path(name)
        trainer.save(folder)
        logits.save(folder / "logits.parquet")
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return FinalResult(
        scores=score(logits, config.inference),
        history=history,
        files=files,
        machine=machine(context.device),
    )


def _epoch(trainer: Trainer, load: LoadMeter) -> dict[str, float]:
    """Train one; its losses, times and the machine's load."""
    return {**trainer.train_epoch(evaluate=False).metrics, **load.take()}


def winner_config(
    config: Config, overrides: Mapping[str, Scalar], *, epochs: int, beta: float
) -> Config:
    """The winner's configuration for its final runs.

    ``epochs`` is the winner's best epoch on validation; ``beta`` its exact best there: neither
    saw a test image.
    """
    return config.with_overrides({**overrides, "training.epochs": epochs, BETA: beta})


def paper_config(config: Config, space: SearchSpace) -> Config:
    """The sweep's recipe with the preset's own value of everything that was searched, and beta.

    For CUB, SUN and AwA2 those are the paper's. The number of epochs is the recipe's: the
    preset's, unless another was asked for.
    """
    own = preset(config.data.dataset).flat()
    return config.with_overrides({path: own[path] for path in {*space, BETA}})
