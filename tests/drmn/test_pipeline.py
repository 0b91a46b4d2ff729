"""Live backbones: what trains, what a checkpoint holds of it, and augmentation's own seed."""

import distributed_runs
import pytest
import torch
from tiny_runs import ArrayImages, ArraySource, tiny_config, tiny_split

from drmn.checkpoint import load_checkpoint
from drmn.distributed import launch
from drmn.errors import CheckpointError
from drmn.training import Trainer

SMALL = {
    "backbone__name": "resnet18",
    "data__image_size": 32,
    "training__steps_per_epoch": 1,
    "training__classes_per_batch": 2,
    "model__fusion__channels": 8,
}


def live_trainer(**overrides) -> Trainer:
    return Trainer(tiny_config(**SMALL, **overrides), tiny_split(), ArrayImages())


def changed_stages(run: Trainer, before: dict[str, torch.Tensor]) -> set[str]:
    """First two parts of the names of backbone entries that differ from ``before``."""
    after = run.network.backbone.state_dict()
    names = [name for name in after if not torch.equal(after[name], before[name])]
    return {".".join(name.split(".")[:2]) for name in names}


def copied(run: Trainer) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.network.backbone.state_dict().items()}


@pytest.mark.parametrize(
    ("training", "expected"),
    [("none", set()), ("last", {"stages.3"}), ("all", {f"stages.{i}" for i in range(4)})],
)
def test_only_what_is_open_changes(training, expected):
    run = live_trainer(backbone__train=training)
    before = copied(run)
    run.train_epoch(evaluate=False)
    changed = {name for name in changed_stages(run, before) if name.startswith("stages")}
    assert changed == expected


def test_a_checkpoint_holds_the_trained_part_and_resumes_bit_for_bit(tmp_path):
    overrides = {"backbone__train": "last", "training__augmentation": "flip"}
    whole = live_trainer(**overrides)
    whole.train_epoch(evaluate=False)
    state = load_checkpoint(whole.save(tmp_path))
    entries = state["weights"]["backbone"]
    assert entries and all(name.startswith("stages.3.") for name in entries)
    assert any(name.endswith("running_mean") for name in entries)
    whole.train_epoch(evaluate=False)
    rest = live_trainer(**overrides)
    rest.restore(tmp_path)
    rest.train_epoch(evaluate=False)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, rest.network.state_dict()[name]), name


def test_a_frozen_backbone_is_not_in_the_checkpoint(tmp_path):
    run = live_trainer()
    state = load_checkpoint(run.save(tmp_path))
    assert state["weights"]["backbone"] == {}
    assert state["weights"]["backbone_hash"] == run.network.backbone.weights_hash


def test_another_backbones_weights_are_refused(tmp_path):
    run = live_trainer()
    run.save(tmp_path)
    other = live_trainer()
    other.network.backbone.weights_hash = "0" * 64
    with pytest.raises(CheckpointError, match="backbone's weights have the hash"):
        other.restore(tmp_path)


def test_cached_levels_need_no_backbone():
    run = Trainer(tiny_config(), tiny_split(), ArraySource())
    assert run.network.backbone is None
    assert set(run.network.state()) == {"model"}


def test_augmentation_differs_from_step_to_step_but_not_from_run_to_run():
    run, again = live_trainer(backbone__train="last"), live_trainer(backbone__train="last")
    batch = tiny_split().train.rows[:4]
    first, second = (run._read(batch, 1, step)[0] for step in (0, 1))
    assert not torch.equal(first, second)
    assert torch.equal(first, again._read(batch, 1, 0)[0])


@pytest.mark.slow
def test_compiled_training_follows_the_plain_one():
    # In a process of its own: run-time shape checks are no food for a compiler.
    launch(1, distributed_runs.compiled_equals_plain)
