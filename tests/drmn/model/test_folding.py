"""A folded network computes what the original does, and leaves it as it was."""

import pytest
import torch
from torch import nn

from drmn.config import BackboneConfig
from drmn.model.backbone import build_backbone
from drmn.model.folding import folded


@pytest.mark.parametrize("name", ["resnet18", "densenet169"])
def test_levels_stay_what_they_are(name: str) -> None:
    backbone = build_backbone(BackboneConfig(name=name)).eval()
    for norm in backbone.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None and norm.running_var is not None
            nn.init.uniform_(norm.running_mean, -0.1, 0.1)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
            nn.init.uniform_(norm.weight, 0.5, 1.5)
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        expected = backbone(images)
        levels = folded(backbone)(images)
    for level, exact in zip(levels, expected, strict=True):
        torch.testing.assert_close(level, exact, rtol=1e-3, atol=1e-4 * float(exact.abs().max()))


def test_norms_behind_convolutions_are_gone_and_the_original_keeps_its_own() -> None:
    backbone = build_backbone(BackboneConfig(name="resnet18"))
    assert not any(isinstance(each, nn.BatchNorm2d) for each in folded(backbone).modules())
    assert any(isinstance(each, nn.BatchNorm2d) for each in backbone.modules())
    assert backbone.training


def test_a_norm_that_follows_no_convolution_stays() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4))
    assert isinstance(folded(network)[2], nn.BatchNorm2d)
