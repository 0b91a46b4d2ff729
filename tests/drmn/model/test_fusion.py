"""Multi-level feature fusion against plain loops: resize, project, add the residual, sum."""

import numpy as np
import paper_equations as paper
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from drmn.errors import ConfigError
from drmn.model.fusion import build_fusion, interpolate_up, pool_down
from drmn.model.levels import LevelSpec
from drmn.model_config import FusionConfig

few = settings(max_examples=6, deadline=None)
SPECS = (LevelSpec(2, 12, 12), LevelSpec(3, 6, 6), LevelSpec(4, 3, 3), LevelSpec(5, 2, 2))


def random_levels(specs=SPECS, num_images=2, seed=0):
    torch.manual_seed(seed)
    shapes = [(num_images, *spec.shape) for spec in specs]
    return tuple(torch.randn(*shape, dtype=torch.float64) for shape in shapes)


def resized(level, height, width):
    larger = level.shape[0] > height
    return (paper.average_pool if larger else paper.bilinear)(level, height, width)


def phi(projection, level, height, width):
    """The paper's order on either side: resize first, then the 1x1 convolution."""
    weight, bias = (w.detach().numpy() for w in projection.linear.parameters())
    return resized(level, height, width) @ weight.T + bias


@few
@given(st.integers(1, 4), st.integers(1, 7), st.integers(0, 2**31))
def test_fused_feature_is_the_sum_of_projections_and_residual(side, first, seed):
    specs = (LevelSpec(2, first + side, first + side), *(LevelSpec(c, side, side) for c in (3, 4)))
    specs = (*specs, LevelSpec(5, max(1, side - 1), max(1, side - 1)))
    levels = random_levels(specs, seed=seed)
    fusion = build_fusion(FusionConfig(), specs).double()
    for i in range(2):
        images = [level[i].numpy() for level in levels]
        expected = images[-2] + sum(
            phi(projection, image, side, side)
            for projection, image in zip(fusion.projections, images, strict=True)
        )
        v = fusion(levels)[i].detach()
        assert_allclose(v, expected.reshape(side * side, 4), rtol=1e-9, atol=1e-12)


@few
@given(*(st.integers(1, 7) for _ in range(4)))
def test_resizing_matches_the_loops(rows, columns, height, width):
    level = torch.randn(1, rows, columns, 2, dtype=torch.float64)
    if rows >= height and columns >= width:
        expected = paper.average_pool(level[0].numpy(), height, width)
        assert_allclose(pool_down(level, height, width)[0], expected, rtol=1e-9, atol=1e-12)
    expected = paper.bilinear(level[0].numpy(), height, width)
    assert_allclose(interpolate_up(level, height, width)[0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("norm_relu", [False, True])
def test_levels_pooled_beforehand_give_the_same_feature(norm_relu):
    levels = random_levels()
    fusion = build_fusion(FusionConfig(norm_relu=norm_relu), SPECS).double()
    pooled = tuple(pool_down(level, 3, 3) for level in levels)
    assert torch.equal(fusion(pooled), fusion(levels))


def test_norm_and_relu_come_after_the_projection_of_the_resized_level():
    levels = random_levels()
    fusion = build_fusion(FusionConfig(norm_relu=True), SPECS).double()
    v = fusion(levels).detach()
    expected = levels[-2].numpy().copy()
    for level, projection in zip(levels, fusion.projections, strict=True):
        weight = projection.linear.weight.detach().numpy()
        maps = np.array([resized(image, 3, 3) @ weight.T for image in level.numpy()])
        centred = maps - maps.mean(axis=(0, 1, 2))
        expected += np.maximum(centred / (maps.var(axis=(0, 1, 2)) + 1e-5) ** 0.5, 0)
    assert_allclose(v, expected.reshape(2, 9, 4), rtol=1e-9, atol=1e-12)


def test_a_narrower_width_replaces_the_identity_by_an_orthonormal_projection():
    fusion = build_fusion(FusionConfig(channels=2), SPECS).double()
    rows = fusion.residual.weight.detach()
    assert_allclose(rows @ rows.T, torch.eye(2), atol=1e-6)
    assert fusion(random_levels()).shape == (2, 9, 2)


@pytest.mark.parametrize(("single_level", "index"), [("last", -1), ("second_last", -2)])
def test_without_fusion_one_level_is_taken_as_it_is(single_level, index):
    levels = random_levels()
    fusion = build_fusion(FusionConfig(enabled=False, single_level=single_level), SPECS)
    assert not list(fusion.parameters())
    assert fusion.channels == SPECS[index].channels
    assert torch.equal(fusion(levels), levels[index].flatten(1, 2))


def test_a_single_level_can_be_narrowed():
    fusion = build_fusion(FusionConfig(enabled=False, channels=2), SPECS).double()
    assert fusion(random_levels()).shape == (2, 4, 2)


def test_one_level_is_too_few():
    with pytest.raises(ConfigError, match="gives 1 level"):
        build_fusion(FusionConfig(), SPECS[:1])
