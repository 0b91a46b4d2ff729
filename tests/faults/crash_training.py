"""What a training writes: checkpoints, and the files of its end."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from fault_matrix import Told
from study_files import fake_logits
from tiny_models import model_of, tiny_trainer
from tiny_runs import ArraySource, tiny_config, tiny_split

from drmn.checkpoint import list_checkpoints, load_latest
from drmn.deployed.saved_model import MODEL_FILE, SavedModel, load_model
from drmn.logits import Logits
from drmn.training import train
from orchestration.final import FinalResult

NUM_EPOCHS = 3


class Checkpoints:
    """A training that is resumed from its checkpoints gives the bits of an undisturbed one."""

    name, port = "checkpoint", 0

    def prepare(self, folder: Path) -> None:
        trained()

    def work(self, folder: Path, told: Told) -> None:
        _train(folder, told)

    def check(self, folder: Path, told: Sequence[str]) -> None:
        if told:
            assert load_latest(folder)[1]["epoch"] >= int(told[-1]), "an epoch is lost"

    def check_end(self, folder: Path) -> None:
        assert same(_outcome(folder), trained())


def _train(folder: Path, told: Told) -> None:
    config = tiny_config(training__epochs=NUM_EPOCHS, training__steps_per_epoch=1)
    resume = folder if list_checkpoints(folder) else None
    for result in train(config, tiny_split(), ArraySource(), resume=resume, save_to=folder):
        told(f"{result.epoch}")


def _outcome(folder: Path) -> dict[str, Any]:
    state = load_latest(folder)[1]
    return {key: value for key, value in state.items() if key != "busy_s"}


@cache
def trained() -> dict[str, Any]:
    with TemporaryDirectory() as name:
        _train(Path(name), lambda _: None)
        return _outcome(Path(name))


class FinalFiles:
    """A final run's files, of which scores.json says that all are there."""

    name, port = "final", 0

    def prepare(self, folder: Path) -> None:
        final_result()

    def work(self, folder: Path, told: Told) -> None:
        if not (folder / "scores.json").exists():
            final_result().save(folder)
        told("saved")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        if (folder / "scores.json").exists() or told:
            assert FinalResult.load(folder) == final_result()

    def check_end(self, folder: Path) -> None:
        assert FinalResult.load(folder) == final_result()


@cache
def final_result() -> FinalResult:
    files = {"epoch-00003.ckpt": b"checkpoint" * 500, "logits.parquet": b"logits" * 500}
    return FinalResult(scores={"a": 0.5}, history=[{"loss": 1.0}], files=files)


class Model:
    """The model file, and the logits beside it."""

    name, port = "model", 0

    def prepare(self, folder: Path) -> None:
        saved_model()

    def work(self, folder: Path, told: Told) -> None:
        _logits().save(folder / "logits.parquet")
        saved_model().save(folder / MODEL_FILE)
        told("saved")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        if (folder / MODEL_FILE).exists() or told:
            assert load_model(folder).record == saved_model().record
        if (folder / "logits.parquet").exists() or told:
            assert torch.equal(Logits.load(folder / "logits.parquet").o, _logits().o)

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["saved"])


@cache
def saved_model() -> SavedModel:
    whole = model_of(tiny_trainer(), include_backbone=False)
    few = dict(list(whole.weights.items())[:5])  # as many writes as with all of them
    return replace(whole, weights=few, backbone=None)


@cache
def _logits() -> Logits:
    return fake_logits(1, 1, with_global=True)


def same(one: Any, other: Any) -> bool:
    """Of nested states, to the bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
