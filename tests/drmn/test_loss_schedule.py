"""Loss weights by epoch: what reads, what is refused, and what a checkpoint keeps of it."""

from pathlib import Path

import pytest
import torch
from tiny_runs import ArraySource, tiny_config, tiny_split

from drmn.config import Config
from drmn.errors import CheckpointError, ConfigError
from drmn.loss_schedule import extended, until, weights_at
from drmn.training import Trainer

TEXT = "3:lambda_sc=0.08,lambda_gc=0.5;6:lambda_gc=0.4"


def trainer(**overrides: object) -> Trainer:
    return Trainer(tiny_config(**overrides), tiny_split(), ArraySource())


def same_bits(one: Trainer, other: Trainer) -> bool:
    pairs = zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (2, {}),
        (3, {"lambda_sc": 0.08, "lambda_gc": 0.5}),
        (6, {"lambda_sc": 0.08, "lambda_gc": 0.4}),
    ],
)
def test_each_change_holds_until_the_next(epoch: int, expected: dict[str, float]) -> None:
    assert weights_at(TEXT, epoch) == expected
    loss = Config().with_overrides({"loss.schedule": TEXT}).loss.at(epoch)
    assert loss.lambda_sc == expected.get("lambda_sc", 0.1)
    assert loss.lambda_gc == expected.get("lambda_gc", 0.6)


def test_what_is_extended_has_the_old_as_its_past() -> None:
    assert until(extended(TEXT, 8, {"lambda_sc": 0.1}), 7) == TEXT
    assert weights_at(extended("", 2, {"lambda_sc": 1 / 3}), 2) == {"lambda_sc": 1 / 3}


@pytest.mark.parametrize(
    "text",
    [
        *("3", "1:lambda_sc=1", "3:beta=0.5", "3:lambda_sc=-1", "3:lambda_sc=inf", "x:lambda_sc=1"),
        *("3:lambda_sc", "4:lambda_sc=1;3:lambda_sc=1", "3:lambda_sc=1;", "3:lambda_sc=nan"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="`schedule`"):
        Config().with_overrides({"loss.schedule": text})


def test_a_run_taken_over_equals_one_with_the_schedule_from_its_start(tmp_path: Path) -> None:
    """The donor's checkpoint, then other weights: the bits of the schedule trained at a stretch."""
    donor = trainer(loss__lambda_sc=0.3)
    donor.train_epoch(evaluate=False)
    donor.save(tmp_path)
    schedule = "2:lambda_sc=0.9,lambda_gc=0.1"
    moved = trainer(loss__lambda_sc=0.3, loss__schedule=schedule)
    moved.restore(tmp_path)
    assert moved.epoch == 1
    whole = trainer(loss__lambda_sc=0.3, loss__schedule=schedule)
    whole.train_epoch(evaluate=False)
    for run in (donor, moved, whole):
        run.train_epoch(evaluate=False)
    assert same_bits(moved, whole)
    assert not same_bits(moved, donor)


def test_a_checkpoint_with_another_past_is_refused(tmp_path: Path) -> None:
    run = trainer(loss__schedule="2:lambda_sc=0.9")
    for _ in range(2):
        run.train_epoch(evaluate=False)
    run.save(tmp_path)
    with pytest.raises(CheckpointError, match=r"loss\.schedule"):
        trainer(loss__schedule="2:lambda_sc=0.8").restore(tmp_path)
    with pytest.raises(CheckpointError, match=r"loss\.schedule"):
        trainer().restore(tmp_path)
    later = trainer(loss__schedule="2:lambda_sc=0.9;3:lambda_sc=0.5")
    later.restore(tmp_path)
    assert later.epoch == 2
