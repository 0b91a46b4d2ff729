"""A sweep as an object: what it asks for. Running it is what the command's tests do."""

from pathlib import Path

import pytest

from drmn.errors import ConfigError
from orchestration import Sweep
from orchestration.pruning_rule import Pruner, PruningRule
from search_spaces.domain import Choice, Uniform
from search_spaces.registry import search_space


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRMN_HOME", str(tmp_path))
    return tmp_path


def test_defaults_are_those_of_the_command(tmp_path: Path) -> None:
    request = Sweep("cub", data_root=tmp_path).request
    assert request.space == search_space("cub")
    assert (request.num_trials, request.variant) == (16, "+ensemble")
    assert request.pruning.pruner is Pruner.ASHA
    assert request.data_root == tmp_path


def test_own_space_and_settings_are_taken(home: Path) -> None:
    space = {"optimiser.lr": Uniform(low=1e-4, high=1e-2), "training.seed": Choice(options=(0, 1))}
    sweep = Sweep(
        "cub",
        data_root=home,
        space=space,
        settings={"training.epochs": 3},
        name="mine",
        final_seeds=2,
        pruning=PruningRule(pruner=Pruner.MEDIAN),
    )
    assert sweep.request.space == space
    assert sweep.request.config.training.epochs == 3
    assert (sweep.request.final_seeds, sweep.request.pruning.pruner) == (2, Pruner.MEDIAN)
    assert sweep.folder == home / "sweeps" / "mine"


def test_domain_outside_its_setting_is_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match="beta"):
        Sweep("cub", data_root=home, space={"inference.beta": Uniform(low=0.0, high=2.0)})


def test_unknown_setting_is_refused_with_its_neighbours(home: Path) -> None:
    with pytest.raises(ConfigError, match="lambda_sc"):
        Sweep("cub", data_root=home, settings={"loss.lambda_cs": 1.0})
