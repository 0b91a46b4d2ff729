"""Spaces are data over real settings."""

import pytest

from drmn.errors import ConfigError
from drmn.presets import PRESETS
from search_spaces.domain import Choice, LogUniform, Uniform, checked
from search_spaces.registry import search_space


@pytest.mark.parametrize("dataset", sorted(PRESETS))
def test_every_preset_lies_in_its_own_space(dataset: str) -> None:
    flat = PRESETS[dataset]().flat()
    for path, domain in search_space(dataset).items():
        assert domain.contains(flat[path]), path


def test_the_four_parameters_are_searched_for_any_data_set() -> None:
    expected = {"loss.lambda_sc", "loss.lambda_gc", "inference.beta", "model.classifier.gamma"}
    assert set(search_space("my-own-birds")) == expected


def test_an_unknown_path_names_its_siblings() -> None:
    with pytest.raises(ConfigError, match="lambda_sc"):
        checked({"loss.lambda_cs": Uniform(low=0, high=1)})


def test_a_domain_outside_the_settings_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"beta.*1\.5"):
        checked({"inference.beta": Uniform(low=0, high=1.5)})


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_an_empty_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ConfigError, match="low < high"):
        Uniform(low=low, high=high)


def test_a_logarithm_needs_positive_ends() -> None:
    with pytest.raises(ConfigError, match="must be > 0"):
        LogUniform(low=0.0, high=1.0)


def test_a_choice_needs_options() -> None:
    with pytest.raises(ConfigError, match="must not be empty"):
        Choice(options=())
    assert Choice(options=(1, 2)).contains(2)
