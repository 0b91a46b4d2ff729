"""Several seeds as one run shows them: means, and from two seeds on Student's 95 % limits."""

import math
from collections.abc import Mapping

import numpy as np

from drmn.names import GZSL_HARMONIC, Phase, phased
from orchestration.study.statistics import Interval, t_interval

Scores = Mapping[int, Mapping[str, float]]
"""Of each seed, fractions by metric."""


def interval(scores: Scores, metric: str) -> Interval:
    """Mean over seeds with its limits, which are NaN for one seed."""
    return t_interval(np.array([each[metric] for each in scores.values()]))


def shown_means(scores: Scores, phase: Phase) -> dict[str, float]:
    """``test/gzsl_harmonic`` is the mean, ``test_ci95_low/gzsl_harmonic`` and ``…_high/…`` limits.

    H comes first, since MLflow's page that compares runs plots the first metric; that page lists
    them by name, and so the means before all limits.
    """
    shown: dict[str, float] = {}
    metrics = next(iter(scores.values()))
    for metric in sorted(metrics, key=lambda name: name != GZSL_HARMONIC):
        found = interval(scores, metric)
        shown[phased(phase, metric)] = found.mean
        if not math.isnan(found.low):
            shown[f"{phase}_ci95_low/{metric}"] = found.low
            shown[f"{phase}_ci95_high/{metric}"] = found.high
    return shown
