"""How many trials a budget is expected to let begin and end, where nothing else limits them."""

import math

from orchestration.planning.calibration import Calibration
from orchestration.planning.expectation import expect
from orchestration.pruning.choice import build_rule
from orchestration.request import SweepRequest
from orchestration.stopping.budget import OPEN_ENDED

_PLAYED = 64
"""Trials of the games from which the cost of one is taken."""


def num_trials_planned(request: SweepRequest, measured: Calibration, concurrency: int) -> int:
    """What was asked for; without a number, what the budget lets, at least one."""
    if request.num_trials != OPEN_ENDED:
        return request.num_trials
    budget, played = request.budget, max(_PLAYED, concurrency)
    expected = expect(
        lambda: build_rule(request.pruning, request.config.training.epochs),
        num_trials=played,
        concurrency=concurrency,
    )
    wall_s = expected.span * measured.epoch_s / played + measured.opening_s / concurrency
    gpu_s = request.resources.gpus * expected.epochs * measured.epoch_s / played
    affordable = [
        3600 * given_h / cost_s
        for given_h, cost_s in ((budget.wall_h, wall_s), (budget.gpu_h, gpu_s))
        if given_h is not None and cost_s > 0
    ]
    return max(1, math.floor(min(affordable, default=OPEN_ENDED)))
