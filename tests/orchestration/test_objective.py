"""Which way is better, and what stands on a Pareto front."""

import pytest

from drmn.names import OBJECTIVE
from orchestration.objective import direction, gain, gains, is_dominated, needs_beta, shown


@pytest.mark.parametrize(
    ("objective", "way", "turned", "text"),
    [
        (OBJECTIVE, "maximize", 0.25, "25.0 %"),
        ("val/czsl_top1", "maximize", 0.25, "25.0 %"),
        ("loss/global", "minimize", -0.25, "0.25"),
        ("cost/gpu_hours", "minimize", -0.25, "0.25"),
    ],
)
def test_scores_are_maximised_losses_and_costs_minimised(
    objective: str, way: str, turned: float, text: str
) -> None:
    assert direction(objective) == way
    assert gain(objective, {objective: 0.25}) == turned
    assert shown(objective, 0.25) == text


def test_a_point_is_dominated_by_one_that_is_nowhere_worse_and_once_better() -> None:
    points = [
        gains((OBJECTIVE, "time/epoch_s"), m) for m in (_at(0.5, 9), _at(0.5, 7), _at(0.1, 2))
    ]
    assert [is_dominated(point, points) for point in points] == [True, False, False]
    assert not is_dominated(points[0], [points[0], points[0]])


def test_only_scores_of_the_ensemble_depend_on_beta() -> None:
    assert needs_beta(OBJECTIVE)
    assert not needs_beta("val/gzsl_harmonic_at_beta_exact")
    assert not needs_beta("val/czsl_top1")


def _at(harmonic: float, epoch_s: float) -> dict[str, float]:
    return {OBJECTIVE: harmonic, "time/epoch_s": epoch_s}
