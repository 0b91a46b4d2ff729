"""The trainer: same seed, same bits; resume; independence of beta and of what ran before."""

import copy
import gc
import logging
import math
import weakref

import numpy as np
import pytest
import torch
from tiny_runs import ArraySource, tiny_config, tiny_split

from drmn import names
from drmn.checkpoint import list_checkpoints
from drmn.distributed import World
from drmn.errors import CheckpointError, ConfigError, DataError, DivergenceError
from drmn.metrics import score
from drmn.training import Trainer, train


def trainer(split=None, source=None, **overrides) -> Trainer:
    return Trainer(tiny_config(**overrides), split or tiny_split(), source or ArraySource())


def weights(run: Trainer) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in run.network.state_dict().items()}


def assert_same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


def trained(num_epochs: int, **overrides) -> Trainer:
    run = trainer(**overrides)
    for _ in range(num_epochs):
        run.train_epoch(evaluate=False)
    return run


def test_an_epoch_reports_every_metric():
    run = trainer()
    result = run.train_epoch()
    assert result.epoch == 1 == run.epoch
    scored = {names.phased("val", name) for name in score(result.logits, run.config.inference)}
    losses = {name for name in result.metrics if name.startswith("loss/")}
    others = {names.TIME_EPOCH_S, names.TIME_DATA_WAIT_SHARE, names.COST_GPU_HOURS}
    assert len(losses) == 4
    assert set(result.metrics) == scored | losses | others
    assert all(math.isfinite(value) for value in result.metrics.values())
    assert result.metrics[names.COST_GPU_HOURS] == 0.0  # no GPU


def test_training_learns():
    results = list(train(tiny_config(training__epochs=8), tiny_split(), ArraySource()))
    assert [result.epoch for result in results] == list(range(1, 9))
    losses = [result.metrics[names.LOSS_TOTAL] for result in results]
    assert losses[-1] < losses[0] / 2


def test_evaluation_covers_the_evaluation_part_in_order_and_trains_nothing():
    source, split = ArraySource(), tiny_split()
    run = trainer(split, source)
    before = weights(run)
    logits = run.evaluate()
    expected = np.concatenate([split.eval_seen.rows, split.eval_unseen.rows])
    assert np.concatenate(source.asked).tolist() == expected.tolist()
    assert logits.labels.tolist() == [*split.eval_seen.labels, *split.eval_unseen.labels]
    assert logits.o.dtype == torch.float32 and not logits.o.is_inference()
    assert_same_bits(weights(run), before)


def test_an_images_scores_do_not_depend_on_the_batch(monkeypatch):
    run = trained(1)
    whole = run.evaluate()
    monkeypatch.setattr("drmn.evaluation.BATCH_SIZE", 7)
    torch.testing.assert_close(run.evaluate().o, whole.o, rtol=1e-5, atol=1e-5)


def test_only_training_images_train():
    source, split = ArraySource(), tiny_split()
    trainer(split, source).train_epoch(evaluate=False)
    assert np.isin(np.concatenate(source.asked), split.train.rows).all()


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    first = weights(trained(2))
    assert_same_bits(first, weights(trained(2)))
    other = weights(trained(2, training__seed=1))
    assert not torch.equal(first["model.prototypes"], other["model.prototypes"])


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"training__precision": "fp16", "optimiser__clip_grad_norm": 1.0},
        {"training__precision": "bf16", "optimiser__warmup_steps": 9},
        {"training__sampler": "random", "optimiser__halve_every_epochs": 1},
        {"model__fusion__norm_relu": True},
    ],
    ids=["default", "fp16", "bf16", "random", "batch-norm"],
)
def test_two_and_two_resumed_epochs_equal_four(tmp_path, overrides):
    whole = trained(4, **overrides)
    trained(2, **overrides).save(tmp_path)
    torch.rand(5)  # what else happens in the process does not matter
    rest = trainer(**overrides)
    rest.restore(tmp_path)
    assert rest.epoch == 2
    for _ in range(2):
        rest.train_epoch(evaluate=False)
    assert_same_bits(weights(rest), weights(whole))
    assert torch.equal(rest.evaluate().o, whole.evaluate().o)


def test_the_generator_resumes_from_its_folder(tmp_path):
    config = tiny_config(training__epochs=2)
    list(train(config, tiny_split(), ArraySource(), save_to=tmp_path))
    longer = tiny_config(training__epochs=4, inference__beta=0.9)
    rest = list(train(longer, tiny_split(), ArraySource(), resume=tmp_path, save_to=tmp_path))
    assert [result.epoch for result in rest] == [3, 4]
    kept = [path.name for path in list_checkpoints(tmp_path)]
    assert kept == ["epoch-00004.ckpt", "epoch-00003.ckpt"]


def test_evaluating_changes_no_training():
    plain, watched = trainer(), trainer()
    for _ in range(2):
        plain.train_epoch(evaluate=False)
        watched.train_epoch(evaluate=True)
    assert_same_bits(weights(plain), weights(watched))


@pytest.mark.parametrize(
    "inference", [{"beta": 0.9}, {"unseen_offset": 3.0}, {"ensemble": False}], ids=str
)
def test_no_inference_setting_reaches_the_weights(inference):
    overrides = {f"inference__{name}": value for name, value in inference.items()}
    assert_same_bits(weights(trained(2)), weights(trained(2, **overrides)))


def test_a_run_does_not_depend_on_those_before_it_in_the_process():
    short = {"training__steps_per_epoch": 1}
    alone = weights(trained(1, **short))
    for seed in range(9):
        trained(1, training__seed=seed + 1, loss__lambda_sc=0.01 * seed, **short)
    assert_same_bits(weights(trained(1, **short)), alone)


def test_the_processes_generator_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    trained(1).evaluate()
    assert torch.equal(torch.rand(4), expected)


def test_a_dropped_trainer_leaves_nothing_behind():
    run = trained(1)
    run.evaluate()
    watched = [weakref.ref(parameter) for parameter in run.network.parameters()]
    del run
    gc.collect()
    assert all(reference() is None for reference in watched)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_run(value):
    source = ArraySource()
    source._levels[0][tiny_split().train.rows] *= value
    with pytest.raises(DivergenceError) as caught:
        trainer(source=source, loss__lambda_sc=0.7).train_epoch()
    text = str(caught.value)
    assert "epoch 1, step 1" in text and "loss/total nan" in text
    assert "'loss.lambda_sc': 0.7" in text and "optimiser.lr" in text


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, caplog):
    run = trainer()
    for _ in range(2):
        run.train_epoch(evaluate=False)
        path = run.save(tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    rest = trainer()
    with caplog.at_level(logging.WARNING):
        rest.restore(tmp_path)
    assert rest.epoch == 1 and path.name in caplog.text
    rest.train_epoch(evaluate=False)
    rest.save(tmp_path)
    assert_same_bits(weights(rest), weights(run))


def test_another_configuration_is_refused_by_name(tmp_path):
    trained(1).save(tmp_path)
    with pytest.raises(CheckpointError, match=r"loss\.lambda_sc \(0\.1 there, 0\.3 here\)"):
        trainer(loss__lambda_sc=0.3).restore(tmp_path)
    allowed = trainer(loss__lambda_sc=0.3)
    allowed.restore(tmp_path, may_differ=("loss",))
    assert allowed.epoch == 1


def test_another_split_is_refused(tmp_path):
    trained(1).save(tmp_path)
    other = copy.copy(tiny_split())
    object.__setattr__(other, "hash", "f" * 16)
    with pytest.raises(CheckpointError, match="split"):
        trainer(other).restore(tmp_path)


def test_a_folder_with_a_later_run_is_not_overwritten(tmp_path):
    trained(3).save(tmp_path)
    with pytest.raises(CheckpointError, match=r"holds epoch-00003\.ckpt"):
        trained(1).save(tmp_path)


def test_the_final_test_is_looked_at_only_when_asked():
    source, split = ArraySource(), tiny_split("test")
    result = trainer(split, source).train_epoch()
    assert result.logits is None
    assert not any(name.startswith(("val/", "test/")) for name in result.metrics)
    assert np.isin(np.concatenate(source.asked), split.train.rows).all()
    asked = trainer(split).train_epoch(evaluate=True)
    assert "test/gzsl_harmonic" in asked.metrics and "val/gzsl_harmonic" not in asked.metrics


def test_an_empty_part_is_refused_before_training():
    split = tiny_split()
    empty = copy.copy(split.eval_unseen)
    object.__setattr__(empty, "rows", empty.rows[:0])
    object.__setattr__(split, "eval_unseen", empty)
    with pytest.raises(DataError, match="eval_unseen part of the validation split holds 0"):
        trainer(split)


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ConfigError, match=r"batch of 8 images.*shared by 3 processes"):
        Trainer(tiny_config(), tiny_split(), ArraySource(), world=World(size=3))
