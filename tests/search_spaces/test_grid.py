"""A grid holds both ends of each range, and every option."""

import pytest

from drmn.errors import ConfigError
from search_spaces.domain import Choice, LogUniform, Uniform
from search_spaces.grid import MAX_SIZE, grid


def test_ranges_are_evenly_spaced_each_in_its_own_scale() -> None:
    assert Uniform(low=-1, high=1).grid(3) == [-1, 0, 1]
    assert LogUniform(low=0.25, high=4).grid(3) == [0.25, 1, 4]
    assert Uniform(low=0, high=1).grid(1) == [0.5]


def test_no_value_of_a_grid_leaves_its_domain() -> None:
    for low, high in [(0.001, 1.0), (0.002, 2.0), (3.0, 10.0), (0.1, 1.5)]:
        for domain in (Uniform(low=low, high=high), LogUniform(low=low, high=high)):
            for num_points in range(1, 12):
                assert all(domain.contains(value) for value in domain.grid(num_points))


def test_a_share_of_a_choice_is_an_option() -> None:
    options = Choice(options=("a", "b", "c"))
    assert [options.at(share) for share in (0.0, 0.34, 0.99, 1.0)] == ["a", "b", "c", "c"]


def test_the_product_takes_all_options_of_a_choice() -> None:
    space = {"x": Uniform(low=0, high=1), "y": Choice(options=("a", "b", "c"))}
    points = grid(space, 2)
    assert len(points) == 6
    assert points[0] == {"x": 0, "y": "a"}
    assert {point["y"] for point in points} == {"a", "b", "c"}


def test_a_grid_that_nobody_can_pay_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=f"14641 points .11 per range., but must have <= {MAX_SIZE}"
    ):
        grid({str(k): Uniform(low=0, high=1) for k in range(4)}, 11)
