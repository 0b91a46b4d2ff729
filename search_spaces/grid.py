"""Every combination of a few values per domain."""

import itertools
import math

from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from search_spaces.domain import SearchSpace

MAX_SIZE = 10_000


def grid(space: SearchSpace, num_points: int) -> list[dict[str, Scalar]]:
    """The product of each domain's ``num_points`` values (a choice: all of its options).

    Raises:
        ConfigError: it has more than ``MAX_SIZE`` points.
    """
    axes = [domain.grid(num_points) for domain in space.values()]
    size = math.prod(map(len, axes))
    if size > MAX_SIZE:
        raise ConfigError(
            f"the grid has {size} points ({num_points} per range), but must have <= {MAX_SIZE}",
            "give fewer --grid-points, or another --sampler",
        )
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*axes)]
