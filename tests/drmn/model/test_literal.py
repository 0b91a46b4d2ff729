"""The benchmarks' literal transcription is the same function as the model, or proves nothing."""

import importlib.util
from pathlib import Path

import pytest
import torch
from numpy.testing import assert_allclose

from drmn.config import Config
from drmn.model.levels import LevelSpec
from drmn.model.network import DRMN

PATH = Path(__file__).resolve().parents[3] / "benchmarks" / "literal.py"
SPECS = (LevelSpec(4, 8, 8), LevelSpec(6, 4, 4), LevelSpec(8, 4, 4), LevelSpec(10, 2, 2))


@pytest.fixture(scope="module")
def literal():
    specification = importlib.util.spec_from_file_location("literal", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_literal_scores_and_gradients_equal_the_models(literal):
    torch.manual_seed(0)
    config = Config().with_overrides({"model.sit.dropout": 0.0, "model.sit.heads": 2})
    seen = torch.arange(5) < 3
    model = DRMN(config.model, SPECS, torch.rand(5, 6) + 0.1, seen).double()
    levels = tuple(torch.randn(3, *spec.shape, dtype=torch.float64) for spec in SPECS)
    gradients = []
    for scores in (model(levels), literal.forward(model, levels)):
        outputs = torch.cat([scores.o, scores.g, scores.o_sit])
        weights = torch.linspace(-1, 1, outputs.numel(), dtype=torch.float64).view_as(outputs)
        gradients.append(
            [outputs, *torch.autograd.grad((outputs * weights).sum(), model.parameters())]
        )
    for ours, theirs in zip(*gradients, strict=True):
        assert_allclose(ours.detach(), theirs.detach(), rtol=1e-8, atol=1e-10)
