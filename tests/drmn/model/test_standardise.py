"""Standardised levels: the statistics, and why a 1x1 convolution makes it the same model."""

import torch

from drmn.model.levels import LevelSpec
from drmn.model.standardise import LevelStandardisation

SPECS = (
    LevelSpec(channels=3, height=2, width=2),
    LevelSpec(channels=5, height=1, width=1),
)


def _levels(num: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(
        4.0 + 0.5 * torch.randn(num, spec.height, spec.width, spec.channels, generator=generator)
        for spec in SPECS
    )


def test_it_is_the_identity_until_it_is_fitted() -> None:
    levels = _levels(4)
    for given, got in zip(levels, LevelStandardisation(SPECS)(levels), strict=True):
        assert torch.equal(given, got)


def test_fitted_levels_have_zero_mean_and_unit_variance_per_channel() -> None:
    levels = _levels(64)
    standardise = LevelStandardisation(SPECS)
    standardise.fit(levels)
    for level in standardise(levels):
        regions = level.flatten(0, 2)
        assert torch.allclose(regions.mean(dim=0), torch.zeros(level.shape[-1]), atol=1e-4)
        assert torch.allclose(regions.std(dim=0), torch.ones(level.shape[-1]), atol=1e-4)


def test_a_dead_channel_is_not_blown_up() -> None:
    levels = tuple(torch.ones_like(level) for level in _levels(4))
    standardise = LevelStandardisation(SPECS)
    standardise.fit(levels)
    assert all(bool((level == 0).all()) for level in standardise(levels))


def test_a_projection_of_standardised_features_is_a_projection_of_the_features() -> None:
    levels = tuple(level.double() for level in _levels(8))
    standardise = LevelStandardisation(SPECS).double()
    standardise.fit(levels)
    mean, std = standardise.get_buffer("mean_0"), standardise.get_buffer("std_0")
    phi = torch.nn.Linear(3, 7).double()
    other = torch.nn.Linear(3, 7).double()
    with torch.no_grad():
        other.weight.copy_(phi.weight / std)
        other.bias.copy_(phi.bias - phi.weight @ (mean / std))
    assert torch.allclose(phi(standardise(levels)[0]), other(levels[0]), rtol=1e-12, atol=1e-12)
