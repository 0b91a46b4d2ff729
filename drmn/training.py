"""Training as a generator of per-epoch results.

Everything random is seeded from the run's seed and the epoch's number (:mod:`drmn.seeding`), and
the learning rate follows from the step's number. What a resumed run needs is therefore weights,
Adam's moments, the loss scale and two counters; it then gives the bits of an uninterrupted one.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64

from drmn import names
from drmn.checkpoint import (
    checkpoint_path,
    discard_old,
    load_checkpoint,
    load_latest,
    refuse_newer,
    save_checkpoint,
)
from drmn.config import Config
from drmn.data.live import LiveSource
from drmn.data.sampler import build_sampler
from drmn.data.splits import Split
from drmn.data.store.features import LevelSource
from drmn.distributed import ALONE, World, check_divisible, gather_scores
from drmn.errors import DataError
from drmn.evaluation import evaluate as evaluate_split
from drmn.evaluation import phased_scores
from drmn.logits import Logits
from drmn.loss_tally import LossTally
from drmn.losses import total_loss
from drmn.optimisation import Optimisation
from drmn.pipeline import Inputs, Pipeline
from drmn.prefetch import Prefetch
from drmn.resuming import MAY_DIFFER, check_resumable, loading
from drmn.seeding import derive_seed, seeded

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True, eq=False)
class EpochResult:
    """What an epoch gave.

    Args:
        epoch: its number, from 1.
        metrics: by the names of :mod:`drmn.names`; ``val/*`` where it was evaluated. Losses are
            means over the steps; ``cost/gpu_hours`` counts the whole run so far.
        logits: of the evaluation part (its seen images, then its unseen), if it was evaluated.
    """

    epoch: int
    metrics: dict[str, float]
    logits: Logits | None


class Trainer:
    """One run, epoch by epoch.

    Args:
        config: of the run. No setting of ``inference`` reaches the weights.
        split: which images train and which evaluate.
        source: levels of a frozen backbone, or images for one that is tuned.
        device: where to train.
        world: the processes that share each batch; every one has its own trainer.

    Raises:
        ConfigError: sizes contradict each other, or the batch cannot be shared.
        DataError: a part of the split is empty, or the backbone's weights cannot be had.
    """

    def __init__(
        self,
        config: Config,
        split: Split,
        source: LevelSource | LiveSource,
        device: torch.device = CPU,
        *,
        world: World = ALONE,
    ) -> None:
        check_divisible(config.training.batch_size, world)
        _check_parts(split)
        self.config = config
        self.split = split
        self.device = device
        self.world = world
        self.epoch = 0
        self._busy_s = 0.0
        self._labels = torch.from_numpy(split.train.labels).to(device)
        self._seen = torch.from_numpy(split.seen).to(device)
        self._sampler = build_sampler(config.training, split.train.labels)
        with seeded(derive_seed(config.training.seed, "weights"), device):
            self.network = Pipeline(config, split, source, device, world)
        self._optimisation = Optimisation(
            self.network.model, self.network.backbone, config, device, world
        )
        self._scores: Callable[[Inputs], Any] = self.network
        if config.training.compile:
            self._scores = torch.compile(self.network)

    def train_epoch(self, *, evaluate: bool | None = None) -> EpochResult:
        """Train one epoch more.

        Args:
            evaluate: whether to evaluate after it; None: yes, unless the split's evaluation part
                is the final test, which is looked at once (:meth:`evaluate`).

        Raises:
            DivergenceError: a loss is NaN or infinite; the trainer is of no further use.
        """
        epoch, started = self.epoch + 1, time.perf_counter()
        with seeded(derive_seed(self.config.training.seed, "epoch", epoch), self.device):
            losses, waited_s = self._train_steps(epoch)
        trained_s = time.perf_counter() - started
        self.epoch = epoch
        wanted = self.split.protocol != "test" if evaluate is None else evaluate
        logits = self.evaluate() if wanted else None
        epoch_s = time.perf_counter() - started
        self._busy_s += epoch_s
        metrics = {
            **losses,
            names.TIME_EPOCH_S: epoch_s,
            names.TIME_DATA_WAIT_SHARE: waited_s / trained_s,
            names.COST_GPU_HOURS: self._gpu_hours(),
            **({} if logits is None else phased_scores(logits, self.split, self.config.inference)),
        }
        return EpochResult(epoch=epoch, metrics=metrics, logits=logits)

    def evaluate(self) -> Logits:
        """Scores of the evaluation part, as :func:`drmn.evaluation.evaluate` gives them."""
        return evaluate_split(self.network, self.split, self.world)

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on, and what it was trained with."""
        return {
            "epoch": self.epoch,
            "busy_s": self._busy_s,
            "config": json.dumps(self.config.flat()),
            "split": self.split.hash,
            "weights": self.network.state(),
            "optimisation": self._optimisation.state(),
        }

    def load_state(
        self, state: dict[str, Any], *, origin: str, may_differ: tuple[str, ...] = MAY_DIFFER
    ) -> None:
        """Inverse of :meth:`state`; ``origin`` names it in errors.

        Raises:
            CheckpointError: it is of another configuration (settings in ``may_differ``, or below
                these dotted paths, aside), split or backbone.
        """
        check_resumable(state, self.config, self.split.hash, origin=origin, may_differ=may_differ)
        self.network.load_state(state["weights"])
        self._optimisation.load_state(state["optimisation"])
        self.epoch, self._busy_s = state["epoch"], state["busy_s"]

    def save(self, folder: Path) -> Path:
        """Write a checkpoint into ``folder``, of which the newest two are kept.

        Raises:
            CheckpointError: ``folder`` holds a later epoch, hence belongs to another run.
        """
        path = checkpoint_path(folder, self.epoch)
        if self.world.is_main:
            refuse_newer(path)
            save_checkpoint(path, self.state())
            discard_old(folder)
        return path

    def restore(self, path: Path, *, may_differ: tuple[str, ...] = MAY_DIFFER) -> None:
        """Continue from a checkpoint, or from the newest usable one of a folder.

        Raises:
            CheckpointError: there is none, it is damaged, or see :meth:`load_state`.
        """
        file, state = load_latest(path) if path.is_dir() else (path, load_checkpoint(path))
        with loading(file):
            self.load_state(state, origin=str(file), may_differ=may_differ)

    def _train_steps(self, epoch: int) -> tuple[dict[str, float], float]:
        """Mean losses, and seconds waited for data."""
        self.network.train()
        config = replace(self.config, loss=self.config.loss.at(epoch))
        tally = LossTally(self.config, epoch)
        steps = enumerate(self._sampler.batches(epoch - 1))
        reading = Prefetch(steps, lambda key: self._read(key[1], epoch, key[0]))
        for (_, batch), inputs in reading:
            with self._optimisation.autocast():
                scores = self._scores(inputs)
            labels = self._labels[torch.from_numpy(batch).to(self.device)]
            whole = gather_scores(scores, self.world)
            losses = total_loss(whole, labels, self._seen, config)
            tally.add(losses)
            self._optimisation.apply(losses.total, epoch)
        return tally.means(), reading.waited_s

    def _read(self, batch: Int64[np.ndarray, " B"], epoch: int, step: int) -> Inputs:
        """This process's share of a batch; its augmentation has a seed of its own."""
        rows = self.split.train.rows[batch[self.world.share(len(batch))]]
        place = ("augmentation", epoch, step, self.world.rank)
        generator = torch.Generator().manual_seed(derive_seed(self.config.training.seed, *place))
        return self.network.read(rows, generator)

    def _gpu_hours(self) -> float:
        return self._busy_s * self.world.size / 3600 if self.device.type == "cuda" else 0.0


def _check_parts(split: Split) -> None:
    for name in ("train", "eval_seen", "eval_unseen"):
        if not len(getattr(split, name).rows):
            raise DataError(
                f"the {name} part of the {split.protocol} split holds 0 images, but must hold >= 1",
                "check validation.unseen_class_fraction and validation.seen_image_fraction",
            )


def train(
    config: Config,
    split: Split,
    source: LevelSource | LiveSource,
    *,
    device: torch.device = CPU,
    resume: Path | None = None,
    save_to: Path | None = None,
    world: World = ALONE,
) -> Iterator[EpochResult]:
    """The results of a run's epochs, as they end.

    Args:
        resume: a checkpoint, or a folder with some, to continue from.
        save_to: a folder to write a checkpoint to before each result is given.
    """
    trainer = Trainer(config, split, source, device, world=world)
    if resume is not None:
        trainer.restore(resume)
    while trainer.epoch < config.training.epochs:
        result = trainer.train_epoch()
        if save_to is not None:
            trainer.save(save_to)
        yield result
