"""How many trials fit."""

import pytest

from drmn.errors import ConfigError
from orchestration.planning.packing import (
    Node,
    check_share,
    gpu_share,
    trials_at_once,
    trials_in_memory,
)

GB = 10**9
BIG = Node(cpus=16, gpus=2, memory_bytes=64 * GB)
SMALL = Node(cpus=2, gpus=0, memory_bytes=4 * GB)


@pytest.mark.parametrize(
    ("peak", "total", "share"),
    [
        (4 * GB, 24 * GB, 0.25),  # 5.4 GB each: four
        (1 * GB, 80 * GB, 0.0625),  # 44 would fit; 16 are allowed
        (18 * GB, 24 * GB, 1.0),
        (9 * GB, 24 * GB, 0.5),
    ],
)
def test_a_share_is_one_part_of_the_gpu_for_each_trial_that_fits(
    peak: int, total: int, share: float
) -> None:
    found = gpu_share(peak, total)
    assert found == pytest.approx(share, abs=1e-4)
    assert found * round(1 / share) <= 1


def test_a_third_of_a_gpu_is_rounded_down_so_that_three_fit() -> None:
    assert gpu_share(6 * GB, 25 * GB) == 0.3333


def test_a_trial_beyond_the_whole_gpu_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"needs 24.6 GB .* has 24.0 GB"):
        gpu_share(20 * GB, 24 * GB)


def test_a_share_that_is_too_small_is_refused_with_one_that_is_not() -> None:
    check_share(0.25, 4 * GB, 24 * GB)
    check_share(0.0, 0, 0)
    with pytest.raises(ConfigError, match=r"give --gpus-per-trial 0\.25"):
        check_share(0.2, 4 * GB, 24 * GB)


def test_trials_at_once_lie_on_one_node_each() -> None:
    assert trials_at_once([BIG, SMALL], cpus=1, gpus=0) == 18
    assert trials_at_once([BIG, SMALL], cpus=3, gpus=0) == 5
    assert trials_at_once([BIG, SMALL], cpus=1, gpus=0.25) == 8
    assert trials_at_once([SMALL], cpus=1, gpus=0.25) == 0


def test_memory_limits_by_node() -> None:
    assert trials_in_memory([BIG, SMALL], 3 * GB) == 22
    with pytest.raises(ConfigError, match=r"needs 65.0 GB .* largest node has 64.0 GB"):
        trials_in_memory([BIG, SMALL], 65 * GB)
