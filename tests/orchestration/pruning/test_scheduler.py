"""Tune's adapter: what it answers Tune, from the journal's, the brake's and the moves' words."""

from pathlib import Path
from typing import Any

import pytest
from in_process_trials import Controller
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from drmn.names import EPOCH, OBJECTIVE
from orchestration.events import OVERRIDES, TRIAL
from orchestration.pruning.halving import SuccessiveHalving
from orchestration.pruning.journal import Journal
from orchestration.pruning.scheduler import RuleScheduler
from orchestration.retrying import LossTolerantTrial
from orchestration.stopping.brake import Brake


class _Moves:
    """Of a population: ``due`` are to move, ``ready`` can be carried out."""

    def __init__(self, due: set[tuple[str, int]], ready: set[str]) -> None:
        self.due, self.ready = due, ready
        self.asked: list[tuple[str, int]] = []

    def is_due(self, trial: str, epoch: int) -> bool:
        return (trial, epoch) in self.due

    def carry_out(self, trial: Trial, others: list[Trial]) -> bool:
        self.asked.append((trial.config[TRIAL], len(others)))
        return trial.config[TRIAL] in self.ready


def _trial(name: str, status: str = Trial.RUNNING) -> Trial:
    trial = Trial("Pretended", config={TRIAL: name, OVERRIDES: {}}, stub=True)
    trial.set_status(status)
    return trial


def _result(epoch: int, value: float = 0.5) -> dict[str, Any]:
    return {EPOCH: epoch, OBJECTIVE: value}


@pytest.fixture
def rule() -> SuccessiveHalving:
    return SuccessiveHalving(grace_period=1, reduction_factor=2, max_epochs=4)


def _scheduler(
    rule: SuccessiveHalving, folder: Path, brake: Brake | None = None, **more: Any
) -> RuleScheduler:
    return RuleScheduler(Journal(rule, folder / "j"), OBJECTIVE, brake or Brake(), **more)


def test_a_trial_behind_is_stopped_and_one_ahead_goes_on(
    rule: SuccessiveHalving, tmp_path: Path
) -> None:
    scheduler, controller = _scheduler(rule, tmp_path), Controller()
    words = [
        scheduler.on_trial_result(controller, _trial(name), _result(1, value))
        for name, value in (("0000", 0.5), ("0001", 0.4), ("0002", 0.6))
    ]
    assert words == [TrialScheduler.CONTINUE, TrialScheduler.STOP, TrialScheduler.CONTINUE]
    assert rule.stopped == {"0001": 1}
    last = scheduler.on_trial_result(controller, _trial("0000"), _result(4))
    assert last == TrialScheduler.STOP


def test_of_a_cost_the_dearest_is_stopped(rule: SuccessiveHalving, tmp_path: Path) -> None:
    scheduler = _scheduler(rule, tmp_path, is_minimised=True)
    for name, value in (("0000", 0.5), ("0001", 0.6)):
        scheduler.on_trial_complete(Controller(), _trial(name), _result(1, value))
    assert rule.rungs == {1: {"0000": -0.5, "0001": -0.6}}
    assert rule.stopped == {"0001": 1}


@pytest.mark.parametrize(
    ("is_minimised", "metric", "mode", "is_taken"),
    [
        (False, None, None, True),
        (False, OBJECTIVE, "max", True),
        (False, OBJECTIVE, None, True),
        (False, OBJECTIVE, "min", False),
        (True, OBJECTIVE, "min", True),
        (True, OBJECTIVE, "max", False),
        (True, None, "max", False),
        (False, "loss/total", "max", False),
        (False, "loss/total", None, False),
    ],
)
def test_tune_may_only_say_what_was_given(
    rule: SuccessiveHalving,
    tmp_path: Path,
    is_minimised: bool,
    metric: str | None,
    mode: str | None,
    is_taken: bool,
) -> None:
    scheduler = _scheduler(rule, tmp_path, is_minimised=is_minimised)
    assert scheduler.set_search_properties(metric, mode) is is_taken


def test_trials_begin_in_the_order_they_came(rule: SuccessiveHalving, tmp_path: Path) -> None:
    scheduler, controller = _scheduler(rule, tmp_path), Controller()
    trials = [_trial(f"000{number}", Trial.PENDING) for number in range(3)]
    assert scheduler.choose_trial_to_run(controller) is None
    for trial in trials:
        scheduler.on_trial_add(controller, trial)
        assert isinstance(trial, LossTolerantTrial)
    trials[0].set_status(Trial.RUNNING)
    trials[1].set_status(Trial.TERMINATED)
    assert scheduler.choose_trial_to_run(controller) is trials[2]
    trials[2].set_status(Trial.RUNNING)
    assert scheduler.choose_trial_to_run(controller) is None
    assert scheduler.__getstate__() == {}


def test_braked_nothing_begins_and_the_waiting_are_held(
    rule: SuccessiveHalving, tmp_path: Path
) -> None:
    brake, controller = Brake(), Controller()
    scheduler = _scheduler(rule, tmp_path, brake)
    waiting = {"0000": Trial.PENDING, "0001": Trial.PAUSED, "0002": Trial.RUNNING}
    controller.trials = [_trial(name, status) for name, status in waiting.items()]
    for trial in controller.trials:
        scheduler.on_trial_add(controller, trial)
    brake.pull("SIGTERM", 143)
    assert scheduler.choose_trial_to_run(controller) is None
    assert controller.stopped == controller.trials[:2]
    assert brake.held == {"0000", "0001"}
    word = scheduler.on_trial_result(controller, controller.trials[2], _result(1))
    assert (word, brake.held) == (TrialScheduler.STOP, {"0000", "0001", "0002"})


def test_a_trial_that_is_pruned_while_braked_is_not_held(
    rule: SuccessiveHalving, tmp_path: Path
) -> None:
    brake, controller = Brake(), Controller()
    scheduler = _scheduler(rule, tmp_path, brake)
    scheduler.on_trial_result(controller, _trial("0000"), _result(1, 0.9))
    brake.pull("SIGTERM", 143)
    word = scheduler.on_trial_result(controller, _trial("0001"), _result(1, 0.1))
    assert (word, brake.held) == (TrialScheduler.STOP, set())


def test_of_a_population_who_is_due_pauses_and_goes_on_once_it_can(
    rule: SuccessiveHalving, tmp_path: Path
) -> None:
    moves, controller = _Moves({("0000", 1)}, set()), Controller()
    scheduler = _scheduler(rule, tmp_path, moves=moves)
    assert scheduler.choose_trial_to_run(controller) is None
    controller.trials = [_trial("0000"), _trial("0001")]
    first, second = controller.trials
    assert scheduler.on_trial_result(controller, first, _result(1)) == TrialScheduler.PAUSE
    assert scheduler.on_trial_result(controller, second, _result(1)) == TrialScheduler.CONTINUE
    first.set_status(Trial.PAUSED)
    assert scheduler.choose_trial_to_run(controller) is None
    moves.ready.add("0000")
    assert scheduler.choose_trial_to_run(controller) is first
    assert moves.asked == [("0000", 2), ("0000", 2)]
    second.set_status(Trial.PENDING)
    assert scheduler.choose_trial_to_run(controller) is second
    assert len(moves.asked) == 2
