"""After a crash between two books, all three agree."""

from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from drmn.errors import DataError
from drmn.names import EPOCH, OBJECTIVE
from drmn.presets import sprites
from orchestration.events import TRIAL, Fate
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning.halving import SuccessiveHalving
from orchestration.reconcile import park_unfinished, settle_study
from orchestration.request import SweepRequest
from orchestration.searcher.asking import OptunaSearcher
from orchestration.searcher.storage import open_storage
from orchestration.searcher.study import open_study
from search_spaces.registry import search_space

EPOCHS = 4


@pytest.fixture
def request_() -> SweepRequest:
    return SweepRequest(
        name="s",
        variant="+ensemble",
        config=sprites().with_overrides({"training.epochs": EPOCHS}),
        space=search_space("sprites"),
        data_root=Path("nowhere"),
        num_trials=2,
    )


@pytest.fixture
def storage(tmp_path: Path) -> BaseStorage:
    return open_storage(None, tmp_path / "study.journal")


@pytest.fixture
def study(request_: SweepRequest, storage: BaseStorage) -> optuna.Study:
    return open_study(request_, storage)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / LEDGER_FILE)


def _rule(**stopped: int) -> SuccessiveHalving:
    return SuccessiveHalving(
        grace_period=1, reduction_factor=2, max_epochs=EPOCHS, stopped=dict(stopped)
    )


def test_a_fate_told_to_optuna_alone_reaches_the_ledger(
    request_: SweepRequest, study: optuna.Study, ledger: Ledger
) -> None:
    searcher = OptunaSearcher(study, request_)
    searcher.suggest("a")
    ledger.started("0000", study.trials[0].params)
    ledger.epoch_ended("0000", EPOCHS, {OBJECTIVE: 0.5})
    searcher.on_trial_complete("a", {EPOCH: EPOCHS, OBJECTIVE: 0.5})
    assert settle_study(study, ledger, _rule(), (OBJECTIVE,)) == []
    assert ledger.fates() == {"0000": Fate.COMPLETE}


def test_a_fate_in_the_ledger_alone_reaches_optuna(
    request_: SweepRequest, study: optuna.Study, ledger: Ledger
) -> None:
    OptunaSearcher(study, request_).suggest("a")
    ledger.started("0000", study.trials[0].params)
    ledger.epoch_ended("0000", 1, {OBJECTIVE: 0.5})
    ledger.ended("0000", Fate.PRUNED, 1, "")
    assert settle_study(study, ledger, _rule(), (OBJECTIVE,)) == []
    assert study.trials[0].state == TrialState.PRUNED
    assert study.trials[0].intermediate_values == {1: 0.5}


@pytest.mark.parametrize(
    ("epoch", "stopped", "fate"),
    [(EPOCHS, {}, Fate.COMPLETE), (1, {"0000": 1}, Fate.PRUNED)],
    ids=["last epoch ended", "stopped by ASHA"],
)
def test_what_was_decided_but_told_to_nobody_is_told_to_both(
    request_: SweepRequest,
    study: optuna.Study,
    ledger: Ledger,
    epoch: int,
    stopped: dict[str, int],
    fate: Fate,
) -> None:
    OptunaSearcher(study, request_).suggest("a")
    ledger.started("0000", study.trials[0].params)
    ledger.epoch_ended("0000", epoch, {OBJECTIVE: 0.5})
    assert settle_study(study, ledger, _rule(**stopped), (OBJECTIVE,)) == []
    assert ledger.fates() == {"0000": fate}
    assert study.trials[0].state.is_finished()


def test_a_trial_that_was_stopped_before_its_epoch_was_written_down_repeats_that_epoch(
    request_: SweepRequest, study: optuna.Study, ledger: Ledger
) -> None:
    OptunaSearcher(study, request_).suggest("a")
    ledger.started("0000", study.trials[0].params)
    ledger.epoch_ended("0000", 1, {OBJECTIVE: 0.5})
    assert settle_study(study, ledger, _rule(**{"0000": 2}), (OBJECTIVE,)) == ["0000"]


@pytest.mark.parametrize("began", [True, False])
def test_undecided_trials_are_left_to_be_taken_up(
    request_: SweepRequest, study: optuna.Study, ledger: Ledger, began: bool
) -> None:
    OptunaSearcher(study, request_).suggest("a")
    if began:
        ledger.started("0000", study.trials[0].params)
        ledger.epoch_ended("0000", 1, {OBJECTIVE: 0.5})
    assert settle_study(study, ledger, _rule(), (OBJECTIVE,)) == ["0000"]
    assert study.trials[0].state == TrialState.RUNNING
    assert ledger.fates() == {}


def test_a_damaged_line_of_the_ledger_is_named(ledger: Ledger, tmp_path: Path) -> None:
    ledger.started("0000", {})
    with (tmp_path / LEDGER_FILE).open("a") as handle:
        handle.write('garbage\n{"cut off')
    with pytest.raises(DataError, match="line 2 is damaged"):
        ledger.histories()


def test_parked_trials_wait_and_are_taken_up_under_their_own_number(
    request_: SweepRequest, study: optuna.Study, ledger: Ledger
) -> None:
    OptunaSearcher(study, request_).suggest("a")
    ledger.started("0000", study.trials[0].params)
    ledger.epoch_ended("0000", 1, {OBJECTIVE: 0.5})
    ledger.ended("0000", Fate.STOPPED, 1, "SIGTERM")
    park_unfinished(study)
    assert study.trials[0].state == TrialState.WAITING
    assert settle_study(study, ledger, _rule(), (OBJECTIVE,)) == ["0000"]
    assert study.trials[0].state == TrialState.RUNNING
    later = OptunaSearcher(study, request_, {"0000": ["c"]})
    assert later.suggest("b")[TRIAL] == "0000"  # type: ignore[index, unused-ignore]
    assert later.suggest("c")[TRIAL] == "0001"  # type: ignore[index, unused-ignore]
