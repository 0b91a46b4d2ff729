"""A trial: drmn's Trainer behind Tune's class API, with its actor reused by the next trial."""

import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray import tune

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.data.dataset import load_dataset
from drmn.data.live import LiveSource
from drmn.data.splits import Split, validation_split
from drmn.data.store.features import LevelSource
from drmn.errors import DeviceMemoryError, StoreAwayError
from drmn.names import EPOCH
from drmn.places import store_errors
from drmn.training import Trainer
from orchestration.checkpoints import outlasting, restore_newest, store_missing
from orchestration.events import CHANGED, CHECKPOINTS, OVERRIDES, SINCE
from orchestration.levels import open_levels
from orchestration.provenance.load import SYSTEM, LoadMeter
from orchestration.provenance.machine import MACHINE, machine


@dataclass(frozen=True, kw_only=True)
class TrialContext:
    """What all trials of a sweep share: plain values, so that it can be sent to any node."""

    config: dict[str, Scalar]
    data_root: str
    features: str | None
    """Folder of the feature store; None: levels are computed live."""
    num_threads: int
    store_wait_s: float = 0.0
    """How long a trial waits for a storage that is away."""
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
        self._context = context
        self._trainer: Trainer | None = None
        self._since = 0
        self._data = _open_data(context)
        self._machine, self._load = machine(context.device), LoadMeter(context.device)
        self._start(config)

    def step(self) -> dict[str, Any]:
        """Tune's hook: one epoch's metrics and load, and the trainer's own epoch count."""
        assert self._trainer is not None
        last = self._trainer.config.training.epochs
        with device_memory_errors(self._trainer.config):
            result = self._trainer.train_epoch()
        return {
            **result.metrics,
            EPOCH: result.epoch,
            SINCE: self._since,
            "done": result.epoch >= last,
            MACHINE: self._machine,
            SYSTEM: self._load.take(),
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Tune's hook."""
        assert self._trainer is not None
        self._trainer.save(Path(checkpoint_dir))

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Tune's hook: write the checkpoint and store it; those before it stay if that fails."""
        assert self._trainer is not None
        with tempfile.TemporaryDirectory(prefix="drmn-checkpoint-") as name:
            folder = checkpoint_dir or name
            return outlasting(self._context.store_wait_s, lambda: self._save(folder))

    def _save(self, folder: str) -> Any:
        assert self._trainer is not None
        before = self._storage.current_checkpoint_index if self._storage else 0
        try:
            with store_errors(f"the checkpoint of epoch {self._trainer.epoch} cannot be stored"):
                result = super().save(folder)
                store_missing(Path(folder), result.checkpoint)
        except StoreAwayError:
            if self._storage:
                self._storage.current_checkpoint_index = before  # the same place again
            raise
        return result

    def restore(self, checkpoint_path: Any) -> None:
        """Tune's hook: fetch a checkpoint and load it."""
        outlasting(self._context.store_wait_s, lambda: self._restore(checkpoint_path))

    def _restore(self, checkpoint_path: Any) -> None:
        with store_errors("the checkpoint to go on from cannot be read"):
            super().restore(checkpoint_path)

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Tune's hook."""
        assert self._trainer is not None
        self._trainer.restore(Path(checkpoint))
        self._since = self._trainer.epoch

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Tune's hook: nothing of the trial before may reach the next."""
        self.cleanup()
        self._start(new_config)
        return True

    def cleanup(self) -> None:
        """Tune's hook: free the model and the device's memory."""
        compiled = self._trainer is not None and self._trainer.config.training.compile
        self._trainer = None
        gc.collect()
        if compiled:
            torch.compiler.reset()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _start(self, config: dict[str, Any]) -> None:
        torch.set_num_threads(self._context.num_threads)
        settings = {**config[OVERRIDES], **config.get(CHANGED, {})}
        recipe = Config.from_flat({**self._context.config, **settings})
        split, source, device = self._data.split, self._data.source, self._context.device
        with device_memory_errors(recipe):
            self._trainer = trainer = Trainer(recipe, split, source, device=device)
            outlasting(
                self._context.store_wait_s,
                lambda: restore_newest(trainer, config[CHECKPOINTS]),
            )
        self._since = self._trainer.epoch


@contextmanager
def device_memory_errors(config: Config) -> Iterator[None]:
    """CUDA's error, with the configuration that it happened to."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        standard = Config().flat()
        changed = {k: v for k, v in config.flat().items() if v != standard[k]}
        raise DeviceMemoryError(
            f"the GPU's memory does not suffice ({error}); configuration {config.hash()}: "
            f"{changed or 'all defaults'}",
            "give --gpus-per-trial auto or 1, or set training.precision=bf16",
        ) from error


def _open_data(context: TrialContext) -> _Data:
    config = Config.from_flat(context.config)
    dataset = load_dataset(config.data.dataset, Path(context.data_root))
    return _Data(
        split=validation_split(dataset, config.validation),
        source=open_levels(dataset, config, context.features),
    )
