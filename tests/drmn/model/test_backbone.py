"""Backbones against torchvision's own forward pass, and what training may touch."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from drmn import vision
from drmn.config import BackboneConfig
from drmn.errors import ConfigError
from drmn.model.backbone import CHANNELS, SECOND_LAST, Backbone, build_backbone
from drmn.model.weights import load_network

SHALLOW = "resnet18"


@pytest.fixture(scope="module", autouse=True)
def _torchvision() -> None:
    """Its import is not what a test's second is for."""
    vision.new_network(SHALLOW)


@pytest.fixture
def backbone() -> Backbone:
    return build_backbone(BackboneConfig(name=SHALLOW, train="all"))


def _images(size: int = 32, num: int = 2) -> torch.Tensor:
    return torch.randn(num, 3, size, size, generator=torch.Generator().manual_seed(0))


def _slow(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.slow)


NAMES = [SHALLOW, _slow("resnet50"), _slow("resnet101"), "densenet169"]


@pytest.mark.parametrize("name", NAMES)
def test_specs_are_the_shapes_that_come_out(name: str) -> None:
    backbone = build_backbone(BackboneConfig(name=name)).eval()
    for size in (32, 65, 100):
        with torch.inference_mode():
            levels = backbone(_images(size, 1))
        assert [level.shape[1:] for level in levels] == [s.shape for s in backbone.specs(size)]


@pytest.mark.parametrize(
    ("name", "size", "channels", "sides"),
    [
        ("resnet101", 224, (256, 512, 1024, 2048), (14, 14, 14, 7)),
        ("resnet101", 448, (256, 512, 1024, 2048), (28, 28, 28, 14)),
        ("densenet169", 96, (256, 512, 1280, 1664), (6, 6, 6, 3)),
    ],
)
def test_specs_of_the_presets(
    name: str, size: int, channels: tuple[int, ...], sides: tuple[int, ...]
) -> None:
    specs = _unloaded(name).specs(size)
    assert tuple(spec.channels for spec in specs) == channels
    assert tuple(spec.height for spec in specs) == tuple(spec.width for spec in specs) == sides


def _unloaded(name: str) -> Backbone:
    """Specs need no weights."""
    return Backbone(
        nn.Sequential(),
        [nn.Sequential() for _ in range(4)],
        channels=CHANNELS[name],
        ceil_halving=name.startswith("resnet"),
        weights_hash="",
    )


def test_too_small_an_image_is_refused(backbone: Backbone) -> None:
    with pytest.raises(ConfigError, match=r"`data\.image_size` is 31, but must be >= 32"):
        backbone.specs(31)


@pytest.mark.parametrize("name", NAMES)
def test_the_stages_together_are_the_network(name: str) -> None:
    network, _ = load_network(name, "none")
    with torch.inference_mode():
        expected = network.eval()(_images(64))
        last = build_backbone(BackboneConfig(name=name)).eval()(_images(64))[-1]
    scale = expected.abs().max()  # large in a deep network of random weights
    torch.testing.assert_close(last.mean((1, 2)) / scale, expected / scale)


def test_fine_levels_are_pooled_to_the_second_last_grid(backbone: Backbone) -> None:
    kept: list[torch.Tensor] = []
    for stage in backbone.eval().stages:
        stage.register_forward_hook(lambda _module, _inputs, output: kept.append(output.detach()))
    with torch.inference_mode():
        levels = backbone(_images(64))
    grid = kept[SECOND_LAST].shape[2:]
    for level, raw in zip(levels[:SECOND_LAST], kept, strict=False):
        pooled = F.adaptive_avg_pool2d(raw, grid).permute(0, 2, 3, 1)
        torch.testing.assert_close(level, pooled)
    assert torch.equal(levels[-1], kept[-1].permute(0, 2, 3, 1))
    assert all(level.is_contiguous() for level in levels)


@pytest.mark.parametrize(("training", "trained"), [("none", 0), ("last", 1), ("all", 5)])
def test_only_what_is_tuned_changes(backbone: Backbone, training: str, trained: int) -> None:
    backbone.tune(training)
    backbone.train()
    before = copy.deepcopy(backbone.state_dict())
    if trained:
        sum(level.square().mean() for level in backbone(_images())).backward()
        torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=0.1).step()
    else:
        backbone(_images())
    parts = {"stem": backbone.stem, **{f"stages.{i}": s for i, s in enumerate(backbone.stages)}}
    changed = [
        name
        for name, part in parts.items()
        if any(not torch.equal(v, before[f"{name}.{key}"]) for key, v in part.state_dict().items())
    ]
    assert changed == list(parts)[len(parts) - trained :]


@pytest.mark.parametrize("name", [SHALLOW, _slow("densenet169")])
@pytest.mark.parametrize("training", ["last", "all"])
def test_activation_checkpointing_changes_nothing(name: str, training: str) -> None:
    results = []
    for checkpointing in (False, True):
        backbone = build_backbone(
            BackboneConfig(name=name, train=training, activation_checkpointing=checkpointing)
        ).train()
        levels = backbone(_images())
        sum(level.square().mean() for level in levels).backward()
        gradients = {n: p.grad for n, p in backbone.named_parameters() if p.grad is not None}
        results.append(({**backbone.state_dict(), **gradients}, levels))
    (plain, plain_levels), (saved, saved_levels) = results
    assert plain.keys() == saved.keys()
    for name_, values in plain.items():
        torch.testing.assert_close(saved[name_], values, rtol=0, atol=0, msg=name_)
    assert all(torch.equal(*pair) for pair in zip(plain_levels, saved_levels, strict=True))


def test_random_weights_are_always_the_same_and_draw_from_no_global_stream() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one = build_backbone(BackboneConfig(name=SHALLOW))
    assert torch.equal(torch.rand(1), expected)
    other = build_backbone(BackboneConfig(name=SHALLOW))
    assert one.weights_hash == other.weights_hash
    assert all(
        torch.equal(*pair)
        for pair in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


_UNPICKLE = """
import pickle, sys
backbone = pickle.loads(sys.stdin.buffer.read())
assert not backbone.stem.training and backbone.specs(64)[-1].channels == 512
"""


@pytest.mark.slow
def test_a_backbone_can_be_sent_to_another_process(backbone: Backbone) -> None:
    backbone.tune("none")
    content = pickle.dumps(backbone)
    subprocess.run([sys.executable, "-W", "error", "-c", _UNPICKLE], input=content, check=True)
    copied = copy.deepcopy(backbone)
    assert copied.stages[0] is not backbone.stages[0]
    assert copied.train().stem.training is False
