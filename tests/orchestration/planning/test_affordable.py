"""How many trials a budget is expected to let run."""

from dataclasses import replace
from pathlib import Path

import pytest

from drmn.presets import sprites
from orchestration.planning.affordable import num_trials_planned
from orchestration.planning.calibration import Calibration
from orchestration.pruning_rule import Pruner, PruningRule
from orchestration.request import Resources, SweepRequest
from orchestration.stopping.budget import OPEN_ENDED, Budget
from search_spaces.registry import search_space

MEASURED = Calibration(
    step_s=1.0,
    image_s=0.0,
    checkpoint_s=0.0,
    opening_s=10.0,
    extraction_s=0.0,
    checkpoint_bytes=1,
    base_bytes=1,
    trial_bytes=1,
    gpu_bytes=0,
    gpu_total_bytes=0,
    steps=10,
    images=0,
    final_steps=10,
    final_images=0,
)
REQUEST = SweepRequest(
    name="p",
    variant="+ensemble",
    config=sprites(),
    space=search_space("sprites"),
    data_root=Path("nowhere"),
    num_trials=OPEN_ENDED,
    resources=Resources(gpus=0.5),
    pruning=PruningRule(pruner=Pruner.NONE),
    budget=Budget(wall_h=1.0),
)
TRIAL_S = 110.0
"""Without pruning: ten epochs of ten steps of a second, after ten seconds to open the data."""


def test_the_wall_budget_divided_by_what_a_trial_costs_of_it() -> None:
    assert num_trials_planned(REQUEST, MEASURED, 1) == pytest.approx(3600 / TRIAL_S, abs=1)
    assert num_trials_planned(REQUEST, MEASURED, 4) == pytest.approx(4 * 3600 / TRIAL_S, rel=0.05)


def test_the_scarcer_of_two_budgets_counts() -> None:
    both = replace(REQUEST, budget=Budget(wall_h=1.0, gpu_h=0.1))
    assert num_trials_planned(both, MEASURED, 4) == 360 // 50  # half a GPU for 100 s each


def test_a_number_that_was_asked_for_stands_and_one_trial_is_the_least() -> None:
    assert num_trials_planned(replace(REQUEST, num_trials=7), MEASURED, 1) == 7
    assert num_trials_planned(replace(REQUEST, budget=Budget(wall_h=0.001)), MEASURED, 1) == 1


def test_pruning_lets_more_trials_in() -> None:
    pruned = replace(REQUEST, pruning=PruningRule(pruner=Pruner.ASHA))
    assert num_trials_planned(pruned, MEASURED, 1) > 1.3 * num_trials_planned(REQUEST, MEASURED, 1)
