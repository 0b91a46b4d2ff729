"""An actor that is used again: nothing of a trial may reach the next."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import ArraySource, tiny_config, tiny_split

from drmn.errors import ConfigError, DeviceMemoryError, DivergenceError
from drmn.training import Trainer
from orchestration import trainable
from orchestration.events import CHECKPOINTS, OVERRIDES
from orchestration.trainable import DrmnTrainable, TrialContext

NUM_EPOCHS = 2
NOT_TIMED = ("val/", "loss/")
OTHERS: list[dict[str, Any]] = [
    {"training.seed": 5},
    {"optimiser.lr": 0.1},
    {"model.sit.dropout": 0.0},
    {"model.sit.enabled": False},
    {"model.global_branch.enabled": False},
    {"training.images_per_class": 3},
    {"loss.lambda_sc": 2.0},
    {"model.classifier.gamma": 9.0},
    {"model.channel_attention.enabled": False},
]


@pytest.fixture
def actor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DrmnTrainable:
    data = trainable._Data(split=tiny_split(), source=ArraySource())
    monkeypatch.setattr(trainable, "_open_data", lambda _: data)
    config = tiny_config(training__epochs=NUM_EPOCHS)
    context = TrialContext(
        config=config.flat(), data_root=str(tmp_path), features=None, num_threads=1
    )
    made: DrmnTrainable = object.__new__(DrmnTrainable)  # without Tune's log folders
    made.setup(_suggestion({}), context)
    return made


def _suggestion(overrides: dict[str, Any]) -> dict[str, Any]:
    return {OVERRIDES: overrides, CHECKPOINTS: []}


def _trained(actor: DrmnTrainable) -> list[dict[str, float]]:
    """Metrics of every epoch, times aside, and a checksum of all weights, bit for bit."""
    epochs = [actor.step() for _ in range(NUM_EPOCHS)]
    kept = [{k: v for k, v in epoch.items() if k.startswith(NOT_TIMED)} for epoch in epochs]
    assert actor._trainer is not None
    weights = actor._trainer.network.state_dict().values()
    return [*kept, {"weights": sum(float(w.double().abs().sum()) for w in weights)}]


def test_a_trial_gives_the_same_bits_first_or_after_nine_others(actor: DrmnTrainable) -> None:
    first = _trained(actor)
    generator = torch.get_rng_state()
    for overrides in OTHERS:
        assert actor.reset_config(_suggestion(overrides))
        assert actor.step()["loss/total"] != first[0]["loss/total"]
    torch.set_num_threads(2)
    assert actor.reset_config(_suggestion({}))
    assert torch.get_num_threads() == 1
    assert _trained(actor) == first
    assert torch.equal(torch.get_rng_state(), generator)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_a_trial_that_diverged_leaves_nothing_to_the_next(actor: DrmnTrainable) -> None:
    first = _trained(actor)
    generator = torch.get_rng_state()
    actor.reset_config(_suggestion({"optimiser.lr": 1e30}))
    with pytest.raises(DivergenceError):
        _trained(actor)
    assert torch.equal(torch.get_rng_state(), generator)
    actor.reset_config(_suggestion({}))
    assert _trained(actor) == first


def test_a_trial_that_could_not_start_leaves_nothing_to_the_next(actor: DrmnTrainable) -> None:
    first = _trained(actor)
    with pytest.raises(ConfigError):
        actor.reset_config(_suggestion({"model.sit.heads": 3}))  # does not divide the width
    assert actor._trainer is None
    actor.reset_config(_suggestion({}))
    assert _trained(actor) == first


def test_a_gpu_that_is_too_small_is_named_with_the_configuration(
    actor: DrmnTrainable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(_: Trainer) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    actor.reset_config(_suggestion({"loss.lambda_sc": 0.625}))
    with monkeypatch.context() as patch, pytest.raises(DeviceMemoryError) as caught:
        patch.setattr(Trainer, "train_epoch", exhausted)
        actor.step()
    assert "2.00 GiB" in caught.value.message
    assert "'loss.lambda_sc': 0.625" in caught.value.message
    actor.reset_config(_suggestion({}))
    assert actor.step()["epoch"] == 1
