"""Masks from bytes: their rate, their reproducibility, and dropout's expectation."""

import pytest
import torch

from drmn.model.dropout import MaskStream, draw_seed, dropout


@pytest.mark.parametrize("probability", [0.5, 0.1, 0.9])
def test_masks_keep_the_announced_share(probability):
    stream = MaskStream(0, probability)
    mask = stream.draw((1000, 1000), torch.float32)
    assert abs(stream.keep - (1 - probability)) <= 1 / 512
    assert mask.unique().tolist() == [0.0, 1.0]
    assert mask.mean().item() == pytest.approx(stream.keep, abs=5e-3)


def test_the_same_seed_draws_the_same_masks_in_the_same_pieces():
    left, right = MaskStream(5, 0.5), MaskStream(5, 0.5)
    for shape in ((3, 7), (2, 11)):
        assert torch.equal(left.draw(shape, torch.float64), right.draw(shape, torch.float64))
    assert not torch.equal(
        MaskStream(5, 0.5).draw((8, 8), torch.float32),
        MaskStream(6, 0.5).draw((8, 8), torch.float32),
    )


def test_neighbouring_rows_columns_and_draws_are_uncorrelated():
    stream = MaskStream(1, 0.5)
    first, second = (stream.draw((500, 800), torch.float64) - 0.5 for _ in range(2))
    products = (first * second, first[1:] * first[:-1], first[:, 1:] * first[:, :-1])
    assert all(abs(product.mean().item()) < 3e-3 for product in products)


def test_what_is_kept_is_rescaled_and_its_gradient_too():
    torch.manual_seed(0)
    x = torch.ones(200, 100, requires_grad=True)
    y = dropout(x, 0.25, training=True)
    y.sum().backward()
    assert y.unique().tolist() == pytest.approx([0, 4 / 3])
    assert torch.equal(x.grad, y)
    assert y.mean().item() == pytest.approx(1, abs=0.02)


def test_without_training_or_probability_nothing_happens():
    x = torch.randn(2, 3)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x


def test_seeds_follow_the_global_generator():
    state = torch.get_rng_state()
    first = draw_seed()
    assert draw_seed() != first
    torch.set_rng_state(state)
    assert draw_seed() == first
