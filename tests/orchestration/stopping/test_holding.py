"""Once braked, Tune begins nothing, running trials stop after their epoch, and none is told off."""

import io
from pathlib import Path
from typing import Any

import pytest
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher
from rich.console import Console

from drmn.names import EPOCH, OBJECTIVE
from orchestration.events import OVERRIDES, TRIAL, Fate, TrialEvents
from orchestration.pruning.journal import Journal
from orchestration.pruning.rule import NoPruning
from orchestration.pruning.scheduler import RuleScheduler
from orchestration.stopping.brake import Brake
from orchestration.stopping.budget import Budget, Meter
from orchestration.stopping.holding import HoldingSearcher, Watch


class _Told(Searcher):  # type: ignore[misc, unused-ignore]
    """Suggests for ever and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(metric=OBJECTIVE, mode="max")
        self.told: list[Any] = []

    def suggest(self, trial_id: str) -> dict[str, Any]:
        return {TRIAL: "0000", OVERRIDES: {}}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self.told.append(("epoch", result[EPOCH]))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self.told.append("end")


class _Controller:
    """Of Tune's controller, what the scheduler uses."""

    def __init__(self, trials: list[Trial]) -> None:
        self._trials = trials
        self.stopped: list[Trial] = []

    def get_trials(self) -> list[Trial]:
        return self._trials

    def stop_trial(self, trial: Trial) -> None:
        self.stopped.append(trial)


class _Fates:
    """An observer that remembers ends."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, Fate, str]] = []

    def started(self, trial: str, overrides: Any) -> None:
        pass

    def epoch_ended(self, trial: str, epoch: int, metrics: Any) -> None:
        pass

    def changed(self, trial: str, change: Any) -> None:
        pass

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        self.ends.append((trial, fate, reason))


def _trial(name: str, status: str) -> Trial:
    trial = Trial("DrmnTrainable", config={TRIAL: name, OVERRIDES: {}}, stub=True)
    trial.status = status
    return trial


def _scheduler(brake: Brake, folder: Path) -> RuleScheduler:
    return RuleScheduler(Journal(NoPruning(max_epochs=4), folder / "j"), OBJECTIVE, brake)


def test_a_held_trial_has_an_epoch_and_no_end() -> None:
    inner, brake = _Told(), Brake()
    searcher = HoldingSearcher(inner, brake, lambda: 9)
    assert searcher.suggest("a") == {TRIAL: "0000", OVERRIDES: {}}
    brake.pull("SIGTERM")
    brake.held.add("0000")
    assert searcher.suggest("b") == Searcher.FINISHED
    searcher.on_trial_complete("a", {EPOCH: 2})
    assert inner.told == [("epoch", 2)]


def test_no_more_trials_are_under_way_than_fit_now() -> None:
    room = [1]
    searcher = HoldingSearcher(_Told(), Brake(), lambda: room[0])
    assert searcher.suggest("a")
    assert searcher.suggest("b") is None
    room[0] = 2  # a node has joined
    assert searcher.suggest("b")
    assert searcher.suggest("c") is None
    searcher.on_trial_complete("a", error=True)
    assert searcher.suggest("c")


def test_running_trials_are_held_after_their_epoch_and_pending_ones_at_once(tmp_path: Path) -> None:
    running, pending = _trial("0000", Trial.RUNNING), _trial("0001", Trial.PENDING)
    brake, controller = Brake(), _Controller([running, pending])
    scheduler = _scheduler(brake, tmp_path)
    result = {EPOCH: 1, OBJECTIVE: 0.5}
    assert scheduler.on_trial_result(controller, running, result) == TrialScheduler.CONTINUE
    brake.pull("SIGTERM")
    assert scheduler.choose_trial_to_run(controller) is None
    assert (controller.stopped, brake.held) == ([pending], {"0001"})
    assert scheduler.on_trial_result(controller, running, result) == TrialScheduler.STOP
    assert brake.held == {"0000", "0001"}


def test_observers_hear_of_held_trials_that_had_begun() -> None:
    brake, fates = Brake(), _Fates()
    events = TrialEvents([fates], num_epochs=4, brake=brake)
    begun, waiting = _trial("0000", Trial.RUNNING), _trial("0001", Trial.PENDING)
    events.on_trial_start(0, [], begun)
    brake.pull("SIGTERM")
    brake.held |= {"0000", "0001"}
    events.on_trial_complete(0, [], begun)
    events.on_trial_complete(0, [], waiting)
    assert fates.ends == [("0000", Fate.STOPPED, "SIGTERM")]


@pytest.mark.parametrize(("passed_s", "is_pulled"), [(3599.0, False), (3601.0, True)])
def test_a_spent_budget_pulls_the_brake_and_is_said_once(
    tmp_path: Path, passed_s: float, is_pulled: bool
) -> None:
    now_s = [0.0]
    brake, out = Brake(), io.StringIO()
    meter = Meter(tmp_path / "usage.json", lambda: now_s[0])
    watch = Watch(brake, Budget(wall_h=1.0), meter, Console(file=out))
    now_s[0] = passed_s
    watch.on_step_begin(0, [])
    watch.on_step_begin(1, [])
    assert brake.is_pulled == is_pulled
    assert out.getvalue().count("budget of 1 h is spent: stopping") == is_pulled


def test_trials_are_not_looked_at_again_within_a_second(tmp_path: Path) -> None:
    now_s = [0.0]
    meter = Meter(tmp_path / "usage.json", lambda: now_s[0])
    watch = Watch(Brake(), Budget(wall_h=1.0), meter, Console(file=io.StringIO()))
    now_s[0] = 0.9
    watch.on_step_begin(0, [None])  # type: ignore[list-item]  # fails where it is looked at
    now_s[0] = 1.1
    with pytest.raises(AttributeError):
        watch.on_step_begin(1, [None])  # type: ignore[list-item]


def test_what_waits_begins_in_tunes_order_also_a_second_time(tmp_path: Path) -> None:
    trials = [_trial(name, Trial.PENDING) for name in ("0000", "0001", "0002")]
    controller, scheduler = _Controller(trials), _scheduler(Brake(), tmp_path)
    for trial in trials:
        scheduler.on_trial_add(controller, trial)
    trials[1].status = Trial.RUNNING
    assert scheduler.choose_trial_to_run(controller) is trials[0]
    trials[0].status = Trial.RUNNING
    assert scheduler.choose_trial_to_run(controller) is trials[2]
    trials[2].status = Trial.RUNNING
    assert scheduler.choose_trial_to_run(controller) is None
    trials[0].status = Trial.PENDING
    scheduler.on_trial_add(controller, trials[0])
    assert scheduler.choose_trial_to_run(controller) is trials[0]
