"""Adam's two rates, their schedule, clipping, precision, and a state that resumes bit for bit."""

import pytest
import torch
from torch import nn

from drmn.config import Config, OptimiserConfig
from drmn.optimisation import Optimisation, learning_rate_factor

CPU = torch.device("cpu")


def optimisation(model, backbone=None, **overrides):
    return Optimisation(model, backbone, Config().with_overrides(overrides), CPU)


def linear() -> nn.Linear:
    model = nn.Linear(3, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
    return model


@pytest.mark.parametrize(
    ("epoch", "factor"), [(1, 1.0), (10, 1.0), (11, 0.5), (20, 0.5), (21, 0.25), (30, 0.25)]
)
def test_the_rate_is_halved_every_ten_epochs(epoch, factor):
    assert learning_rate_factor(epoch, 10_000, OptimiserConfig()) == factor


def test_warm_up_rises_linearly_to_the_full_rate():
    config = OptimiserConfig(warmup_steps=4)
    factors = [learning_rate_factor(1, step, config) for step in range(6)]
    assert factors == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    assert learning_rate_factor(11, 100, config) == 0.5


def test_the_first_steps_are_adams():
    model, reference = linear(), linear()
    ours = optimisation(model)
    adam = torch.optim.Adam(reference.parameters(), lr=1e-3)
    inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    for _ in range(3):
        ours.apply(model(inputs).pow(2).sum(), epoch=1)
        adam.zero_grad()
        reference(inputs).pow(2).sum().backward()
        adam.step()
    assert torch.equal(model.weight, reference.weight)


def test_the_backbone_trains_at_its_own_rate_and_only_where_open():
    backbone = nn.Sequential(linear(), linear())
    backbone[0].requires_grad_(False)
    ours = optimisation(linear(), backbone, **{"backbone.train": "last", "backbone.lr": 1e-6})
    assert ours.learning_rates == [1e-3, 1e-6]
    backbone.requires_grad_(False)
    assert optimisation(linear(), backbone).learning_rates == [1e-3]


def test_both_rates_follow_the_schedule():
    model, backbone = linear(), linear()
    ours = optimisation(model, backbone, **{"backbone.train": "all"})
    ours.apply(model(torch.ones(1, 3)).sum() + backbone(torch.ones(1, 3)).sum(), epoch=11)
    assert ours.learning_rates == [5e-4, 5e-6]


def test_gradients_are_clipped_to_the_norm():
    model = linear()
    ours = optimisation(model, **{"optimiser.clip_grad_norm": 0.1})
    ours.apply(100.0 * model(torch.ones(1, 3)).sum(), epoch=1)
    norm = torch.stack([p.grad.norm() for p in model.parameters()]).norm()
    assert float(norm) == pytest.approx(0.1, rel=1e-4)


def test_weight_decay_reaches_adam():
    model = linear()
    ours = optimisation(model, **{"optimiser.weight_decay": 0.1})
    ours.apply(model(torch.ones(1, 3)).sum() * 0.0, epoch=1)
    assert bool((model.weight < 0.5).all())


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_precision_governs_matrix_products(precision, dtype):
    model = linear()
    ours = optimisation(model, **{"training.precision": precision})
    with ours.autocast():
        out = model(torch.ones(1, 3))
    assert out.dtype == dtype
    ours.apply(0.01 * out.float().sum(), epoch=1)
    assert model.weight.dtype == torch.float32 and bool((model.weight != 0.5).all())


def test_an_overflow_in_fp16_skips_the_step_and_lowers_the_scale():
    model = linear()
    ours = optimisation(model, **{"training.precision": "fp16"})
    before = ours.state()["scaler"]["scale"]
    ours.apply(model(torch.ones(1, 3)).sum() * torch.inf, epoch=1)
    assert bool((model.weight == 0.5).all())
    assert ours.state()["scaler"]["scale"] == before / 2


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_restored_state_continues_bit_for_bit(precision):
    overrides = {"training.precision": precision, "optimiser.warmup_steps": 6}
    inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

    def steps(model, ours, number):
        for _ in range(number):
            ours.apply(model(inputs).pow(2).sum(), epoch=1)

    whole = linear()
    steps(whole, optimisation(whole, **overrides), 6)
    first = linear()
    start = optimisation(first, **overrides)
    steps(first, start, 3)
    second = linear()
    second.load_state_dict(first.state_dict())
    rest = optimisation(second, **overrides)
    rest.load_state(start.state())
    steps(second, rest, 3)
    assert torch.equal(second.weight, whole.weight) and rest.num_steps == 6
