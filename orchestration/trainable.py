"""A trial: drmn's Trainer behind Tune's class API, with its actor reused by the next trial."""

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray import tune

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.data.dataset import load_dataset
from drmn.data.features import LevelSource
from drmn.data.live import LiveSource
from drmn.data.splits import Split, validation_split
from drmn.names import EPOCH
from drmn.training import Trainer
from orchestration.checkpoints import restore_newest
from orchestration.events import CHECKPOINTS, OVERRIDES
from orchestration.levels import open_levels


@dataclass(frozen=True, kw_only=True)
class TrialContext:
    """What all trials of a sweep share: plain values, so that it can be sent to any node."""

    config: dict[str, Scalar]
    data_root: str
    features: str | None
    """Folder of the feature store; None: levels are computed live."""
    num_threads: int
    on_gpu: bool = False
    """Whether the trial was given a GPU, or a share of one."""

    @property
    def device(self) -> torch.device:
        """Where a trial computes: never on a GPU it did not reserve."""
        return torch.device("cuda" if self.on_gpu else "cpu")


@dataclass(frozen=True)
class _Data:
    split: Split
    source: LevelSource | LiveSource


class DrmnTrainable(tune.Trainable):
    """One step is one epoch. Data are opened once per actor, the model once per trial."""

    def setup(self, config: dict[str, Any], context: TrialContext | None = None) -> None:
        """Tune's hook."""
        assert context is not None, "tune.with_parameters(context=...) is missing"
        torch.set_num_threads(context.num_threads)
        self._context = context
        self._data = _open_data(context)
        self._start(config)

    def step(self) -> dict[str, Any]:
        """Tune's hook: one epoch's metrics and the trainer's own epoch count."""
        result = self._trainer.train_epoch()
        last = self._trainer.config.training.epochs
        return {**result.metrics, EPOCH: result.epoch, "done": result.epoch >= last}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Tune's hook."""
        self._trainer.save(Path(checkpoint_dir))

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Tune's hook."""
        self._trainer.restore(Path(checkpoint))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Tune's hook: nothing of the trial before may reach the next."""
        self.cleanup()
        self._start(new_config)
        return True

    def cleanup(self) -> None:
        """Tune's hook: free the model and the device's memory."""
        del self._trainer
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _start(self, config: dict[str, Any]) -> None:
        recipe = Config.from_flat({**self._context.config, **config[OVERRIDES]})
        split, source, device = self._data.split, self._data.source, self._context.device
        self._trainer = Trainer(recipe, split, source, device=device)
        restore_newest(self._trainer, config[CHECKPOINTS])


def _open_data(context: TrialContext) -> _Data:
    config = Config.from_flat(context.config)
    dataset = load_dataset(config.data.dataset, Path(context.data_root))
    return _Data(
        split=validation_split(dataset, config.validation),
        source=open_levels(dataset, config, context.features),
    )
