"""Carrying out a population's moves: what the ledger, the study and Tune's trial then hold."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.trial import TrialState
from ray.tune.experiment import Trial

from drmn.names import EPOCH
from drmn.presets import sprites
from orchestration.events import CHANGED, CHECKPOINTS, OVERRIDES, TRIAL, Change, Fate
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning.moving import Moves
from orchestration.pruning.population import Move, PopulationBased
from orchestration.request import SweepRequest
from orchestration.searcher.storage import open_storage
from orchestration.searcher.study import LAST_OVERRIDES, open_study
from search_spaces.domain import Uniform

SC, GC, BETA = "loss.lambda_sc", "loss.lambda_gc", "inference.beta"
OWN = {SC: 0.5, GC: 0.25, BETA: 0.75}
DONORS = {SC: 0.125, GC: 0.5, BETA: 0.25}
SPACE = {path: Uniform(low=0.0, high=1.0) for path in OWN}
MOVED = {SC: 0.125, GC: 0.5, BETA: 0.75, "loss.schedule": "3:lambda_sc=0.1,lambda_gc=0.6"}
"""The donor's weights, the factors on them from the next epoch on, and inference's own."""


class Scene:
    """Trial 0001 is to take over from 0000 after epoch 2; both have ended it."""

    def __init__(self, folder: Path) -> None:
        self.rule = PopulationBased(interval=2, max_epochs=6, seed=0)
        self.rule.moves["0001", 2] = Move(donor="0000", factors={SC: 0.8, GC: 1.2})
        request = SweepRequest(
            name="s",
            variant="+ensemble",
            config=sprites().with_overrides({"training.epochs": 6}),
            space=SPACE,
            data_root=Path("nowhere"),
        )
        self.ledger = Ledger(folder / LEDGER_FILE)
        self.study = open_study(request, open_storage(None, folder / "s.journal"))
        for name, overrides in (("0000", DONORS), ("0001", OWN)):
            self.ledger.started(name, overrides)
            self.study.ask()
            for epoch in (1, 2):
                self.ledger.epoch_ended(name, epoch, {})
        self.told: list[tuple[str, Change]] = []
        observer: Any = SimpleNamespace(changed=lambda *told: self.told.append(told))
        observers = [self.ledger, observer]
        self.moves = Moves(
            self.rule, request, self.ledger, self.study, observers, lambda *a: [f"{a[0]}-{a[1]}"]
        )

    def last_overrides(self) -> list[Any]:
        return [trial.user_attrs.get(LAST_OVERRIDES) for trial in self.study.trials]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def _trial(name: str, epoch: int) -> Trial:
    config = {TRIAL: name, OVERRIDES: dict(OWN), CHECKPOINTS: []}
    trial = Trial("Pretended", config=config, stub=True)
    trial.run_metadata.last_result = {EPOCH: epoch}
    return trial


def _donor(epoch: int, saved: int | None, status: str = Trial.RUNNING) -> Trial:
    donor = _trial("0000", epoch)
    donor.set_status(status)
    latest = None if saved is None else SimpleNamespace(metrics={EPOCH: saved}, checkpoint=None)
    donor.run_metadata.checkpoint_manager._latest_checkpoint_result = latest
    return donor


def test_a_move_is_due_until_it_was_recorded(scene: Scene) -> None:
    assert scene.moves.is_due("0001", 2)
    assert not scene.moves.is_due("0001", 4)
    assert not scene.moves.is_due("0000", 2)
    scene.moves.carry_out(_trial("0001", 2), [])
    assert not scene.moves.is_due("0001", 2)


def test_a_move_takes_the_donors_settings_and_its_checkpoint(scene: Scene) -> None:
    trial = _trial("0001", 2)
    trial.run_metadata.checkpoint_manager._latest_checkpoint_result = SimpleNamespace()
    assert scene.moves.carry_out(trial, [trial]) is True
    assert trial.config == {
        TRIAL: "0001",
        OVERRIDES: OWN,
        CHANGED: MOVED,
        CHECKPOINTS: ["0000-2"],
    }
    assert trial.latest_checkpoint_result is None
    change = Change(epoch=2, donor="0000", overrides=MOVED)
    assert scene.ledger.histories()["0001"].changes == {2: change}
    assert scene.told == [("0001", change)]
    assert scene.last_overrides() == [None, MOVED]


def test_a_second_move_keeps_the_first_ones_schedule(scene: Scene) -> None:
    scene.moves.carry_out(_trial("0001", 2), [])
    for name in ("0000", "0001"):
        scene.ledger.epoch_ended(name, 4, {})
    scene.rule.moves["0000", 4] = Move(donor="0001", factors={SC: 1.2})
    scene.moves.carry_out(_trial("0000", 4), [])
    overrides = scene.ledger.histories()["0000"].changes[4].overrides
    first, second = str(overrides["loss.schedule"]).split(";")
    assert first == "3:lambda_sc=0.1,lambda_gc=0.6"
    assert second.startswith("5:lambda_sc=0.12")
    assert overrides[BETA] == DONORS[BETA]


def test_a_trial_without_a_move_goes_on_as_it_was(scene: Scene) -> None:
    trial = _trial("0000", 2)
    before = dict(trial.config)
    assert scene.moves.carry_out(trial, []) is True
    assert trial.config == before
    assert scene.told == []


@pytest.mark.parametrize(
    ("donor", "goes_on"),
    [
        (_donor(2, None), False),
        (_donor(2, 1), False),
        (_donor(2, 2), True),
        (_donor(2, 4), True),
        (_donor(1, None), False),
        (_donor(3, None), True),
        (_donor(2, None, Trial.TERMINATED), True),
        (_donor(2, None, Trial.ERROR), True),
    ],
)
def test_it_waits_for_a_donor_that_has_yet_to_be_saved(
    scene: Scene, donor: Trial, goes_on: bool
) -> None:
    trial = _trial("0001", 2)
    assert scene.moves.carry_out(trial, [trial, donor]) is goes_on
    assert bool(scene.told) is goes_on


def test_another_trial_is_not_waited_for(scene: Scene) -> None:
    other = _trial("0002", 2)
    assert scene.moves.carry_out(_trial("0001", 2), [other]) is True


def test_what_a_dead_driver_decided_is_recorded_where_its_epoch_was(scene: Scene) -> None:
    scene.rule.moves["0000", 4] = Move(donor="0001", factors={SC: 1.2})
    scene.rule.moves["0007", 2] = Move(donor="0001", factors={SC: 1.2})
    scene.moves.settle()
    assert [name for name, _ in scene.told] == ["0001"]
    assert scene.ledger.histories()["0001"].changes[2].overrides == MOVED
    scene.moves.settle()
    assert len(scene.told) == 1


def test_moves_are_settled_by_epoch_and_then_by_name(scene: Scene) -> None:
    scene.rule.moves["0000", 2] = Move(donor="0001", factors={SC: 0.8})
    scene.moves.settle()
    assert [name for name, _ in scene.told] == ["0000", "0001"]


def test_a_study_that_has_the_end_is_not_told_of_a_change(scene: Scene) -> None:
    scene.study.tell(1, state=TrialState.FAIL)
    scene.ledger.ended("0001", Fate.STOPPED, 2, "")
    scene.moves.settle()
    assert scene.last_overrides() == [None, None]
    assert scene.study.trials[1].state == TrialState.FAIL
