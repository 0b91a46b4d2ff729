"""Which space a data set is searched over."""

from collections.abc import Callable

from search_spaces.domain import LogUniform, SearchSpace
from search_spaces.paper import four_parameters


def awa2() -> SearchSpace:
    """AwA2's lambda_SC is twice that of the others in the paper: the range is moved up."""
    return four_parameters(lambda_sc=LogUniform(low=0.002, high=2.0))


_SPACES: dict[str, Callable[[], SearchSpace]] = {"awa2": awa2, "cifar-awa2": awa2}


def search_space(dataset: str) -> SearchSpace:
    """The space of ``dataset``; a data set of the user's own gets the paper's four parameters."""
    return _SPACES.get(dataset, four_parameters)()
