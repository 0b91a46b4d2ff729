"""Which way is better, and what depends on beta."""

import pytest

from drmn.names import OBJECTIVE
from orchestration.objective import direction, gain, needs_beta, shown


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


def test_only_scores_of_the_ensemble_depend_on_beta() -> None:
    assert needs_beta(OBJECTIVE)
    assert not needs_beta("val/gzsl_harmonic_at_beta_exact")
    assert not needs_beta("val/czsl_top1")
