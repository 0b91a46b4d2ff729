"""The statistics of a study against SciPy, statsmodels and known examples."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

from drmn.errors import ConfigError
from orchestration.study.statistics import (
    bootstrap_interval,
    compare,
    effect_size,
    hedges_g,
    holm,
    paired_power,
    permutation_test,
    seeds_needed,
    t_interval,
    wilcoxon_test,
)

# Student's sleep data (1908): hours gained by ten patients under two drugs.
DRUG_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
DRUG_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def test_t_interval_is_statsmodels_own() -> None:
    found = t_interval(DRUG_2 - DRUG_1)
    low, high = DescrStatsW(DRUG_2 - DRUG_1).tconfint_mean()
    assert (found.mean, found.low, found.high) == pytest.approx((1.58, low, high))
    assert found.low == pytest.approx(0.7001, abs=1e-4)  # Student's own example
    assert found.contains(1.0)
    assert not found.contains(0.0)


def test_one_seed_has_a_mean_and_no_interval() -> None:
    found = t_interval(np.array([0.5]))
    assert found.mean == 0.5
    assert math.isnan(found.low)
    assert not found.contains(0.5)


@pytest.mark.parametrize("seed", range(5))
def test_permutation_is_scipys_exact_one(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.5, 1.0, size=8)
    theirs = stats.permutation_test(
        (differences,), lambda x, axis: x.mean(axis), permutation_type="samples",
        alternative="two-sided", n_resamples=np.inf, vectorized=True,
    )  # fmt: skip
    assert permutation_test(differences) == pytest.approx(theirs.pvalue)


def test_five_seeds_cannot_go_below_their_floor() -> None:
    assert permutation_test(np.arange(1.0, 6.0)) == 2 / 2**5
    assert permutation_test(np.zeros(5)) == 1.0


def test_many_seeds_are_drawn_and_agree_with_the_normal_approximation() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1.0, size=60)
    t_test = stats.ttest_1samp(differences, 0.0).pvalue
    assert permutation_test(differences) == pytest.approx(t_test, abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_wilcoxon_is_scipys_exact_one(seed: int) -> None:
    differences = np.random.default_rng(seed).normal(0.3, 1.0, size=9)
    theirs = stats.wilcoxon(differences, method="exact").pvalue
    assert wilcoxon_test(differences) == pytest.approx(theirs)


def test_wilcoxon_with_ties_and_zeros_enumerates_signs() -> None:
    differences = np.array([0.0, 1.0, 1.0, -1.0, 2.0, 3.0])
    theirs = stats.wilcoxon(
        differences, method=stats.PermutationMethod(n_resamples=np.inf), zero_method="wilcox"
    ).pvalue
    assert wilcoxon_test(differences) == pytest.approx(theirs)
    assert wilcoxon_test(np.zeros(4)) == 1.0


@settings(max_examples=10)  # theirs takes a tenth of a second
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_holm_is_statsmodels_own(p_values: list[float]) -> None:
    theirs = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(theirs))


def test_effect_sizes() -> None:
    differences = DRUG_2 - DRUG_1
    assert effect_size(differences) == pytest.approx(1.58 / 1.22995, abs=1e-4)
    corrected = effect_size(differences) * (1 - 3 / (4 * 9 - 1))  # Hedges' approximation
    assert hedges_g(differences) == pytest.approx(corrected, rel=2e-3)
    assert effect_size(np.zeros(3)) == 0.0
    assert effect_size(np.full(3, -2.0)) == -math.inf


@pytest.mark.parametrize(("effect", "count"), [(0.5, 10), (1.0, 5), (0.2, 100), (2.0, 4)])
def test_power_is_statsmodels_own(effect: float, count: int) -> None:
    theirs = TTestPower().power(effect, count, 0.05, alternative="two-sided")
    assert paired_power(effect, count) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("effect", [0.2, 0.5, 0.8, 1.28, -0.5])
def test_seeds_needed_is_statsmodels_own(effect: float) -> None:
    theirs = TTestPower().solve_power(abs(effect), alpha=0.05, power=0.8)
    assert seeds_needed(effect) == math.ceil(theirs)


def test_seeds_needed_says_when_it_is_hopeless() -> None:
    assert seeds_needed(0.0) is None
    assert seeds_needed(0.01) is None
    assert seeds_needed(math.inf) == 2
    assert seeds_needed(math.nan) is None


def test_bootstrap_covers_seeds_and_classes() -> None:
    random = np.random.default_rng(1)
    classes = random.normal(0.5, 0.2, size=20)
    values = classes + random.normal(0.0, 0.01, size=(5, 20))
    found = bootstrap_interval(values)
    over_classes = stats.bootstrap(
        (values.mean(axis=0),), np.mean, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((over_classes.low, over_classes.high), abs=0.01)
    assert found == bootstrap_interval(values)


def test_bootstrap_reduces_to_seeds_where_classes_agree() -> None:
    seeds = np.random.default_rng(2).normal(0.5, 0.1, size=8)
    found = bootstrap_interval(np.repeat(seeds[:, None], 6, axis=1))
    over_seeds = stats.bootstrap(
        (seeds,), np.mean, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((over_seeds.low, over_seeds.high), abs=0.01)


def test_compare_pairs_by_seed() -> None:
    found = compare(DRUG_1, DRUG_2)
    assert found.difference.mean == pytest.approx(1.58)
    assert found.num_seeds == 10
    assert found.p_value < 0.01
    assert found.seeds_needed == math.ceil(
        TTestPower().solve_power(found.effect_size, alpha=0.05, power=0.8)
    )
    with pytest.raises(ConfigError, match="paired"):
        compare(DRUG_1, DRUG_2[:3])
    with pytest.raises(ConfigError, match="at least one"):
        compare(DRUG_1[:0], DRUG_2[:0])
