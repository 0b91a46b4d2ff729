"""What a few seeds can tell: paired differences, intervals, exact tests. NumPy and SciPy alone.

Letters: n seeds, K classes. Differences are paired by seed: both rows were trained from the same
seed, on the same images. Everything is in the unit it is given (fractions in drmn).
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import stats

from drmn.errors import ConfigError

Values = Float[np.ndarray, " n"]

_MAX_EXACT = 20  # 2^20 sign patterns; beyond, they are drawn
_NUM_DRAWN = 200_000
_MAX_SEEDS = 1000


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its confidence limits; both limits are NaN for a single value."""

    mean: float
    low: float
    high: float

    def contains(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """Two rows compared over their common seeds.

    Args:
        difference: with its t interval.
        p_value: of the exact sign-flip permutation test, two-sided.
        p_wilcoxon: of the exact signed-rank test, two-sided.
        effect_size: Cohen's d of the paired differences (mean over their standard deviation).
        hedges_g: the same, corrected for few seeds.
        num_seeds: n.
        seeds_needed: how many would show a difference of this size with 80 % power at 5 %; None:
            more than 1000.
    """

    difference: Interval
    p_value: float
    p_wilcoxon: float
    effect_size: float
    hedges_g: float
    num_seeds: int
    seeds_needed: int | None


def t_interval(values: Values, confidence: float = 0.95) -> Interval:
    """Mean with Student's interval over n seeds."""
    mean, count = float(values.mean()), len(values)
    if count < 2:
        return Interval(mean=mean, low=math.nan, high=math.nan)
    half = float(stats.t.ppf((1 + confidence) / 2, count - 1) * stats.sem(values))
    return Interval(mean=mean, low=mean - half, high=mean + half)


def plus_minus(interval: Interval) -> str:
    """Per cent: ``43.1 ± 0.8``; without the second part for one seed."""
    half = (interval.high - interval.low) / 2
    mean = f"{100 * interval.mean:.1f}"
    return mean if math.isnan(half) else f"{mean} ± {100 * half:.1f}"


def bootstrap_interval(
    values: Float[np.ndarray, "n K"],
    confidence: float = 0.95,
    *,
    num_resamples: int = 4000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of the grand mean, seeds and classes both drawn with replacement.

    Wider than the interval over seeds alone: it also asks what other classes would have given.
    """
    random = np.random.default_rng(seed)
    num_seeds, num_classes = values.shape
    by_seed = random.integers(num_seeds, size=(num_resamples, num_seeds))
    by_class = random.integers(num_classes, size=(num_resamples, num_classes))
    seed_weights, class_weights = _counts(by_seed, num_seeds), _counts(by_class, num_classes)
    means = np.einsum("rn,nk,rk->r", seed_weights, values, class_weights, optimize=True)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean=float(values.mean()), low=float(low), high=float(high))


def bootstrap_harmonic(
    unseen: Float[np.ndarray, "rows n U"],
    seen: Float[np.ndarray, "rows n S"],
    confidence: float = 0.95,
    *,
    num_resamples: int = 4000,
    seed: int = 0,
) -> Interval:
    """Percentile interval of the last row's mean H minus the first row's (of H itself for one row).

    Rows share the drawn seeds and classes; a seed's H is of its own mean U and S.
    """
    random = np.random.default_rng(seed)
    num_seeds = unseen.shape[1]
    seeds = _counts(random.integers(num_seeds, size=(num_resamples, num_seeds)), num_seeds)
    means = []
    for part in (unseen, seen):
        drawn = random.integers(part.shape[2], size=(num_resamples, part.shape[2]))
        means.append(np.einsum("vnk,rk->vrn", part, _counts(drawn, part.shape[2]), optimize=True))
    by_row = (_harmonic(*means) * seeds).sum(axis=2)
    whole = _harmonic(unseen.mean(axis=2), seen.mean(axis=2)).mean(axis=1)
    drawn_values = by_row[-1] - by_row[0] if len(by_row) > 1 else by_row[0]
    mean = whole[-1] - whole[0] if len(whole) > 1 else whole[0]
    low, high = np.quantile(drawn_values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(mean=float(mean), low=float(low), high=float(high))


def permutation_test(differences: Values, *, seed: int = 0) -> float:
    """Two-sided p of the mean under flips of signs: exact to n = 20, drawn beyond.

    With n seeds it is never below 2 / 2^n: 0.0625 for five.
    """
    count = len(differences)
    observed = abs(float(differences.mean()))
    if count <= _MAX_EXACT:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=count)))
        extra = 0
    else:
        signs = np.random.default_rng(seed).choice((1.0, -1.0), size=(_NUM_DRAWN, count))
        extra = 1  # the identity itself
    means = np.abs(signs @ differences) / count
    as_extreme = int((means >= observed * (1 - 1e-12)).sum())
    return (as_extreme + extra) / (len(signs) + extra)


def wilcoxon_test(differences: Values) -> float:
    """Two-sided p of the signed-rank test; 1 where no difference is other than 0.

    The ranks' sum is enumerated over all sign patterns, ties and zeros as SciPy's "wilcox" has
    them: zeros are left out, ties share the mean of their ranks.
    """
    moved = differences[differences != 0]
    if not len(moved):
        return 1.0
    ranks = stats.rankdata(np.abs(moved))
    return permutation_test(np.sign(moved) * ranks)


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction for all tests of one table."""
    count = len(p_values)
    adjusted, highest = [0.0] * count, 0.0
    for rank, index in enumerate(sorted(range(count), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def effect_size(differences: Values) -> float:
    """Cohen's d of paired differences; 0 where all are 0, NaN for a single one."""
    if len(differences) < 2:
        return math.nan
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread == 0:
        return math.copysign(math.inf, mean) if mean else 0.0
    return mean / spread


def hedges_g(differences: Values) -> float:
    """Cohen's d times the exact correction for n - 1 degrees of freedom."""
    freedom = len(differences) - 1
    if freedom < 2:
        return math.nan
    log_ratio = math.lgamma(freedom / 2) - math.lgamma((freedom - 1) / 2)
    return effect_size(differences) * math.exp(log_ratio) / math.sqrt(freedom / 2)


def paired_power(effect: float, num_seeds: int, significance: float = 0.05) -> float:
    """Power of the two-sided paired t test for a true effect of size d."""
    freedom, shift = num_seeds - 1, abs(effect) * math.sqrt(num_seeds)
    critical = float(stats.t.ppf(1 - significance / 2, freedom))
    above = float(stats.nct.sf(critical, freedom, shift))
    return above + float(stats.nct.cdf(-critical, freedom, shift))


def seeds_needed(effect: float, power: float = 0.8, significance: float = 0.05) -> int | None:
    """The fewest seeds at which an effect of size d would show; None: more than 1000."""
    if not math.isfinite(effect):
        return None if math.isnan(effect) else 2
    enough = (n for n in range(2, _MAX_SEEDS) if paired_power(effect, n, significance) >= power)
    return next(enough, None) if effect else None


def compare(without: Values, with_it: Values) -> PairedTest:
    """``with_it - without``, position by position the same seed.

    Raises:
        ConfigError: the rows have different numbers of seeds, or none.
    """
    if len(without) != len(with_it) or not len(without):
        raise ConfigError(
            f"rows of {len(without)} and {len(with_it)} seeds cannot be paired, but both must have "
            "the same seeds, at least one"
        )
    differences = with_it - without
    effect = effect_size(differences)
    return PairedTest(
        difference=t_interval(differences),
        p_value=permutation_test(differences),
        p_wilcoxon=wilcoxon_test(differences),
        effect_size=effect,
        hedges_g=hedges_g(differences),
        num_seeds=len(differences),
        seeds_needed=seeds_needed(effect),
    )


def _counts(drawn: np.ndarray, size: int) -> np.ndarray:
    """Shares with which each of ``size`` things was drawn, one row per resample."""
    flat = drawn + size * np.arange(len(drawn))[:, None]
    counts = np.bincount(flat.ravel(), minlength=size * len(drawn)).reshape(len(drawn), size)
    shares: np.ndarray = counts / drawn.shape[1]
    return shares


def _harmonic(
    unseen: Float[np.ndarray, "*shape"], seen: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    total = unseen + seen
    found: np.ndarray = 2 * unseen * seen / np.where(total > 0, total, 1.0)
    return found
