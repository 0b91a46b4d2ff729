"""A request is refused before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from drmn.errors import ConfigError
from drmn.presets import sprites
from orchestration.request import PruningRule, Resources, SweepRequest
from orchestration.request_file import load_request, save_request
from search_spaces.domain import Uniform
from search_spaces.registry import search_space


def _request(**changes: Any) -> SweepRequest:
    values: dict[str, Any] = {
        "name": "s",
        "variant": "+ensemble",
        "config": sprites(),
        "space": search_space("sprites"),
        "data_root": Path("nowhere"),
    }
    return SweepRequest(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_trials": 0}, "`trials` is 0, but must be >= 1"),
        ({"final_seeds": 0}, "`final_seeds` is 0, but must be >= 1"),
        ({"pruning": {"grace_period": 99}}, "`grace_period` is 99, but must be <= training.epochs"),
        ({"pruning": {"min_samples": 0}}, "`min_samples` is 0, but must be >= 1"),
        ({"pruning": {"pruner": "pbt"}}, "`pruner` is .pbt., but must be one of asha, hyperband"),
        ({"pruning": {"reduction_factor": 1}}, "`reduction_factor` is 1, but must be >= 2"),
        ({"resources": {"cpus": 0.0}}, "`cpus` per trial is 0.0, but must be > 0"),
        ({"resources": {"gpus": -0.5}}, "`gpus` per trial is -0.5, but must be >= 0"),
        ({"resources": {"gpus": 1.5}}, "must be <= 1"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(changes: dict[str, Any], message: str) -> None:
    kinds = {"pruning": PruningRule, "resources": Resources}
    with pytest.raises(ConfigError, match=message):
        _request(**{k: kinds[k](**v) if k in kinds else v for k, v in changes.items()})


def test_the_papers_values_are_those_of_the_preset_inside_the_space() -> None:
    request = _request(space={"inference.beta": Uniform(low=0.9, high=1.0)})
    assert request.paper_values == {}
    flat = sprites().flat()
    assert _request().paper_values == {path: flat[path] for path in search_space("sprites")}


def test_a_request_comes_back_from_its_file(tmp_path: Path) -> None:
    request = _request(
        data_root=tmp_path, final_seeds=3, paper_final=False, measure_gpus=True, identity="ab"
    )
    save_request(request, tmp_path)
    assert load_request(tmp_path) == request
