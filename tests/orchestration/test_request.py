"""A request is refused before anything starts."""

from pathlib import Path
from typing import Any

import pytest

from drmn.errors import ConfigError
from drmn.names import OBJECTIVE
from drmn.presets import sprites
from orchestration.pruning_rule import PruningRule
from orchestration.request import Resources, SweepRequest
from orchestration.request_file import load_request, save_request
from orchestration.sampling import SamplerRule, preset_values
from search_spaces.domain import Choice, LogUniform, Uniform
from search_spaces.paper import BETA, GAMMA
from search_spaces.registry import search_space

NO_BETA = {GAMMA: LogUniform(low=3.0, high=10.0)}


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
        ({"pruning": {"pruner": "luck"}}, "`pruner` is .luck., but must be one of asha, hyperband"),
        ({"pruning": {"reduction_factor": 1}}, "`reduction_factor` is 1, but must be >= 2"),
        ({"resources": {"cpus": 0.0}}, "`cpus` per trial is 0.0, but must be > 0"),
        ({"resources": {"gpus": -0.5}}, "`gpus` per trial is -0.5, but must be >= 0"),
        ({"resources": {"gpus": 1.5}}, "must be <= 1"),
        ({"sampler": {"name": "cma"}}, "`sampler` is 'cma', but must be one of tpe, gp"),
        ({"sampler": {"grid_points": 0}}, "`grid_points` is 0, but must be >= 1"),
        ({"sampler": {"name": "grid"}}, "`trials` is 16, but must be 82: the grid"),
        ({"sampler": {"name": "grid", "grid_points": 11}}, "14641 points .* must have <= 10000"),
        ({"num_trials": 2, "enqueued": ({BETA: 0.1}, {BETA: 0.2})}, "must be >= 3"),
        ({"enqueued": ({BETA: 1.5},)}, "enqueued trial 1 has inference.beta=1.5, .*high=1.0"),
        ({"enqueued": ({"model.sit.heads": 2},)}, "model.sit.heads=2, but the space is of loss"),
        ({"objectives": ()}, "the objectives are none, but must be one"),
        ({"objectives": (OBJECTIVE, OBJECTIVE)}, "two different ones"),
        ({"objectives": ("val/gzsl_harmonik",)}, "did you mean 'val/gzsl_harmonic'"),
        ({"objectives": ("test/gzsl_harmonic",)}, "no test image may influence"),
        ({"objectives": (OBJECTIVE, "time/epoch_s")}, "the pruner is asha, but must be none"),
        ({"beta": "grid"}, "`beta` is 'grid', but must be one of search, exact"),
        ({"beta": "exact"}, "`beta` is 'exact', but inference.beta is in the space"),
        ({"beta": "exact", "space": NO_BETA}, "objective val/gzsl_harmonic depends on inference"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(changes: dict[str, Any], message: str) -> None:
    kinds = {"pruning": PruningRule, "resources": Resources, "sampler": SamplerRule}
    with pytest.raises(ConfigError, match=message):
        _request(**{k: kinds[k](**v) if k in kinds else v for k, v in changes.items()})


def test_the_papers_values_are_those_of_the_preset_inside_the_space() -> None:
    request = _request(space={"inference.beta": Uniform(low=0.9, high=1.0)})
    assert preset_values(request.config, request.space) == {}
    flat = sprites().flat()
    space = search_space("sprites")
    assert preset_values(sprites(), space) == {path: flat[path] for path in space}


def test_a_request_comes_back_from_its_file(tmp_path: Path) -> None:
    request = _request(
        data_root=tmp_path, final_seeds=3, paper_final=False, measure_gpus=True, identity="ab"
    )
    save_request(request, tmp_path)
    assert load_request(tmp_path) == request


def test_the_preset_is_tried_first_then_what_was_enqueued_then_the_grid_each_once() -> None:
    space = {GAMMA: LogUniform(low=1.25, high=20.0)}
    request = _request(
        space=space,
        config=sprites().with_overrides({GAMMA: 5.0}),
        enqueued=({GAMMA: 7.0}, {GAMMA: 20.0}),
        sampler=SamplerRule(name="grid"),
        num_trials=4,
    )
    assert [values[GAMMA] for values in request.planned_trials()] == [5.0, 7.0, 20.0, 1.25]
    without = _request(space=space, paper_first=False)
    assert without.planned_trials() == []


def test_a_request_on_disk_is_the_same_request(tmp_path: Path) -> None:
    request = _request(
        data_root=tmp_path,
        space={**NO_BETA, "model.sit.heads": Choice(options=(2, 4))},
        beta="exact",
        objectives=("val/gzsl_harmonic_at_beta_exact", "time/epoch_s"),
        pruning=PruningRule(pruner="none"),
        sampler=SamplerRule(name="qmc", grid_points=5),
        enqueued=({GAMMA: 4.0}, {"model.sit.heads": 2}),
        paper_first=False,
        warm_start=("earlier",),
        split_hash="0" * 16,
    )
    save_request(request, tmp_path / "s")
    assert load_request(tmp_path / "s") == request
