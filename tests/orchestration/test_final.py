"""What is tested, how often, and what is said of it."""

import math
from pathlib import Path

import pytest
from scipy import stats

from drmn.names import GZSL_HARMONIC
from drmn.presets import cub, sprites
from orchestration.final import (
    WINNER,
    Contender,
    FinalResult,
    FinalScores,
    paper_config,
    winner_config,
)
from search_spaces.domain import Uniform
from search_spaces.registry import search_space


def _tested(values: list[float]) -> FinalScores:
    contender = Contender(name=WINNER, config=sprites(), num_seeds=len(values))
    results = {
        seed: FinalResult(scores={GZSL_HARMONIC: value}, history=[], files={})
        for seed, value in zip(contender.seeds, values, strict=True)
    }
    return FinalScores(contender=contender, results=results)


def test_the_interval_is_students() -> None:
    values = [0.2, 0.3, 0.25, 0.31, 0.29]
    found = _tested(values).interval(GZSL_HARMONIC)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert _tested(values).means()[GZSL_HARMONIC] == pytest.approx(sum(values) / 5)


def test_a_file_that_a_death_left_half_written_is_not_the_runs(tmp_path: Path) -> None:
    result = FinalResult(scores={GZSL_HARMONIC: 0.5}, history=[], files={"a.ckpt": b"whole"})
    (tmp_path / ".a.ckpt.elsewhere.7.tmp").write_bytes(b"ha")
    result.save(tmp_path)
    assert FinalResult.load(tmp_path) == result


def test_one_seed_has_a_mean_and_no_limits() -> None:
    tested = _tested([0.5])
    assert tested.means() == {GZSL_HARMONIC: 0.5}
    assert tested.limits() == {}
    assert math.isnan(tested.interval(GZSL_HARMONIC).low)


def test_seeds_count_from_the_contenders_own_and_change_nothing_else() -> None:
    config = sprites().with_overrides({"training.seed": 7})
    contender = Contender(name=WINNER, config=config, num_seeds=3)
    assert list(contender.seeds) == [7, 8, 9]
    changed = contender.run_config(9).flat()
    assert {k for k, v in config.flat().items() if changed[k] != v} == {"training.seed"}


def test_the_winner_is_trained_for_its_best_epoch_at_its_exact_beta() -> None:
    config = winner_config(sprites(), {"loss.lambda_sc": 0.5}, epochs=4, beta=0.25)
    found = (config.loss.lambda_sc, config.training.epochs, config.inference.beta)
    assert found == (0.5, 4, 0.25)


def test_the_papers_setting_undoes_what_is_searched_and_keeps_the_rest_of_the_recipe() -> None:
    asked = {"loss.lambda_sc": 0.9, "inference.beta": 0.9, "data.image_size": 96}
    recipe = cub().with_overrides({**asked, "training.epochs": 3})
    config = paper_config(recipe, search_space("cub"))
    assert (config.loss.lambda_sc, config.inference.beta) == (0.1, 0.3)
    assert (config.data.image_size, config.training.epochs) == (96, 3)
    without_beta = paper_config(recipe, {"loss.lambda_gc": Uniform(low=0, high=1)})
    assert (without_beta.loss.lambda_sc, without_beta.inference.beta) == (0.9, 0.3)


def test_a_result_comes_back_from_its_files(tmp_path: Path) -> None:
    result = FinalResult(
        scores={GZSL_HARMONIC: 0.25}, history=[{"loss/total": 1.5}], files={"a.ckpt": b"\x00\x01"}
    )
    result.save(tmp_path)
    assert FinalResult.load(tmp_path) == result
