"""One configuration trained to its end on this machine, on one device or several at once."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from torch.multiprocessing.spawn import ProcessException

from drmn.atomic import replacing
from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.data.dataset import load_dataset
from drmn.data.splits import Split, test_split, validation_split
from drmn.data.store.features import FeatureStore
from drmn.deployed.making import make_model, record_of
from drmn.deployed.saved_model import MODEL_FILE
from drmn.distributed import ALONE, World, check_divisible, launch
from drmn.errors import ConfigError, DrmnError
from drmn.metrics import score
from drmn.names import LOSS_TOTAL, TIME_EPOCH_S
from drmn.training import CPU, Trainer
from orchestration.levels import open_levels


@dataclass(frozen=True, kw_only=True)
class SingleRun:
    """What to train, as plain values: it travels to other processes."""

    config: dict[str, Scalar]
    data_root: str
    features: str | None
    out: str
    on_test: bool
    """Train on trainval and evaluate on test once, after the last epoch; else on validation."""
    num_devices: int
    resume: bool
    silent: bool = False
    """Tell of no epoch."""
    on_stderr: bool = False
    """Where epochs are told of, unless on stdout."""


def train_single(run: SingleRun) -> None:
    """Train; a batch is shared by ``num_devices`` GPUs, or processes where there is no GPU.

    Raises:
        ConfigError: more GPUs are asked for than there are.
    """
    on_gpus = torch.cuda.is_available()
    if on_gpus and run.num_devices > torch.cuda.device_count():
        raise ConfigError(
            f"the value of `devices` is {run.num_devices}, but this machine has "
            f"{torch.cuda.device_count()} GPUs"
        )
    config = Config.from_flat(run.config)
    check_divisible(config.training.batch_size, World(size=run.num_devices))
    if run.num_devices == 1:
        _member(ALONE, torch.device("cuda") if on_gpus else CPU, run)
    else:
        _launch(run, "cuda" if on_gpus else "cpu")


def _launch(run: SingleRun, device_type: str) -> None:
    try:
        launch(run.num_devices, _member, run, device_type=device_type)
    except ProcessException as error:
        reason = str(error).strip().splitlines()[-1]
        raise DrmnError(f"one of {run.num_devices} processes failed: {reason}") from error


def _member(world: World, device: torch.device, run: SingleRun) -> None:
    config = Config.from_flat(run.config)
    dataset = load_dataset(config.data.dataset, Path(run.data_root))
    split = test_split(dataset) if run.on_test else validation_split(dataset, config.validation)
    source = open_levels(dataset, config, run.features)
    trainer = Trainer(config, split, source, device, world=world)
    if run.resume:
        trainer.restore(Path(run.out))
    _train(trainer, Path(run.out), _console(world, run))
    logits = trainer.evaluate()
    if world.is_main:
        logits.save(Path(run.out) / "logits.parquet")
        record = record_of(config, dataset, split, logits)
        manifest = source.manifest if isinstance(source, FeatureStore) else None
        model = make_model(trainer.state(), config, dataset, split, record, manifest=manifest)
        model.save(Path(run.out) / MODEL_FILE)
        _write_scores(Path(run.out), config, split, score(logits, config.inference))


def _console(world: World, run: SingleRun) -> Console:
    return Console(quiet=run.silent or not world.is_main, stderr=run.on_stderr)


def _train(trainer: Trainer, out: Path, console: Console) -> None:
    num_epochs = trainer.config.training.epochs
    while trainer.epoch < num_epochs:
        metrics = trainer.train_epoch().metrics
        trainer.save(out)
        console.print(
            f"epoch {trainer.epoch:>2}/{num_epochs}  {LOSS_TOTAL} {metrics[LOSS_TOTAL]:.4f}  "
            f"{metrics[TIME_EPOCH_S]:.1f} s",
            highlight=False,
        )


def _write_scores(out: Path, config: Config, split: Split, scores: dict[str, float]) -> None:
    content = {"protocol": split.protocol, "scores": scores, "config": config.flat()}
    with replacing(out / "scores.json") as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
