"""Whatever the driver's death left half written, each book's difference is named."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from drmn.names import OBJECTIVE
from orchestration.events import Fate
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning.rule import NoPruning
from orchestration.reconcile import park_unfinished
from orchestration.repair.truth import ledger_differences, optuna_differences, true_fates

EPOCHS = 4


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(direction="maximize")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / LEDGER_FILE)


def _asked(study: optuna.Study, ledger: Ledger, last_epoch: int) -> str:
    """A trial begun, with epochs up to ``last_epoch``."""
    trial = study.ask({"x": optuna.distributions.FloatDistribution(0.0, 1.0)})
    name = f"{trial.number:04d}"
    ledger.started(name, trial.params)
    for epoch in range(1, last_epoch + 1):
        ledger.epoch_ended(name, epoch, {OBJECTIVE: 0.5})
    return name


def _found(
    study: optuna.Study, ledger: Ledger, stopped: dict[str, int]
) -> set[tuple[str, str, str]]:
    histories = ledger.histories()
    fates = true_fates(study, histories, NoPruning(max_epochs=EPOCHS, stopped=stopped))
    differences = ledger_differences(histories, fates) + optuna_differences(study, fates)
    return {(each.book, each.has, each.should_have) for each in differences}


def test_agreeing_books_differ_in_nothing(study: optuna.Study, ledger: Ledger) -> None:
    ledger.ended(_asked(study, ledger, EPOCHS), Fate.COMPLETE, EPOCHS, "")
    study.tell(0, 0.5)
    ledger.ended(_asked(study, ledger, 1), Fate.STOPPED, 1, "SIGTERM")
    park_unfinished(study)
    study.enqueue_trial({"x": 0.5})
    assert _found(study, ledger, {}) == set()


def test_a_zombie_that_can_be_continued(study: optuna.Study, ledger: Ledger) -> None:
    _asked(study, ledger, 1)
    assert _found(study, ledger, {}) == {
        ("ledger", "running", "stopped"),
        ("Optuna", "RUNNING", "WAITING"),
    }


def test_a_zombie_that_was_never_begun(study: optuna.Study, ledger: Ledger) -> None:
    study.ask({"x": optuna.distributions.FloatDistribution(0.0, 1.0)})
    assert _found(study, ledger, {}) == {("Optuna", "RUNNING", "WAITING")}


@pytest.mark.parametrize(
    ("last_epoch", "stopped", "fate", "state"),
    [(EPOCHS, {}, "complete", "COMPLETE"), (1, {"0000": 1}, "pruned", "PRUNED")],
)
def test_an_end_that_was_decided_and_told_to_nobody(
    study: optuna.Study,
    ledger: Ledger,
    last_epoch: int,
    stopped: dict[str, int],
    fate: str,
    state: str,
) -> None:
    _asked(study, ledger, last_epoch)
    assert _found(study, ledger, stopped) == {
        ("ledger", "running", fate),
        ("Optuna", "RUNNING", state),
    }


def test_an_end_told_to_optuna_alone(study: optuna.Study, ledger: Ledger) -> None:
    _asked(study, ledger, 1)
    study.tell(0, state=TrialState.FAIL)
    assert _found(study, ledger, {}) == {("ledger", "running", "failed")}
