"""What the product promises of a sweep's books: while a driver lives, when it is dead, mended."""

from pathlib import Path

import four_books
from four_books import GOES_ON, Book
from pretend_trial import objective

STATUSES = {
    GOES_ON: "RUNNING",
    "complete": "FINISHED",
    "pruned": "KILLED",
    "stopped": "KILLED",
    "failed": "FAILED",
}
_TUNE = {
    "": {"PENDING"},
    GOES_ON: {"PENDING", "RUNNING"},
    "stopped": {"PENDING", "TERMINATED"},
    "complete": {"TERMINATED"},
    "pruned": {"TERMINATED"},
    "failed": {"ERROR"},
}
"""A trial of an earlier driver waits to begin again; once braked, what waits is not begun."""
_OPTUNA_WHILE_ALIVE = {"stopped": GOES_ON}
"""A trial that was stopped is parked in Optuna when its driver ends."""


def check_ledger(book: Book, drawn: dict[str, dict[str, object]], num_epochs: int) -> None:
    """Each trial has the settings of an undisturbed sweep and each epoch once, with its value."""
    for name, entry in book.items():
        assert entry.settings == drawn[name], (name, entry.settings, drawn[name])
        assert entry.epochs == list(range(1, len(entry.epochs) + 1)), (name, entry.epochs)
        for epoch, value in entry.values.items():
            assert value == objective(name, entry.settings, epoch), (name, epoch)
        has_all = len(entry.epochs) == num_epochs
        assert entry.fate != "complete" or has_all, (name, entry)
        assert entry.fate != "pruned" or not has_all, (name, entry)


def check_alive(
    home: Path, folder: Path, statuses: dict[str, str], *, was_killed: bool, is_braked: bool
) -> None:
    """All books, while a driver waits for its trials' next event.

    Optuna is told an epoch before the ledger has it, but of the last epoch of a trial that is to
    be stopped when its checkpoint is stored. A driver that died between the two leaves Optuna
    one epoch ahead until the trial has trained that again.
    """
    ledger, study = four_books.ledger(folder), four_books.study(folder)
    assert set(ledger) <= set(study), (set(ledger), set(study))
    for name, entry in ledger.items():
        told = study[name]
        assert told.fate == _OPTUNA_WHILE_ALIVE.get(entry.fate, entry.fate), (name, entry, told)
        last = len(entry.epochs)
        lacks, ahead = set(entry.epochs) - set(told.epochs), set(told.epochs) - set(entry.epochs)
        assert lacks <= ({last} if entry.fate in (GOES_ON, "stopped") else set()), (name, told)
        assert ahead <= ({last + 1} if was_killed else set()), (name, entry, told)
        assert told.settings == entry.settings, (name, entry, told)
    _check_mlflow(ledger, four_books.runs_to_be(home, folder))
    _check_is_part(four_books.runs(home), ledger)
    for name, status in statuses.items():
        fate = ledger[name].fate if name in ledger else ""
        assert status in _TUNE[fate] | ({"TERMINATED"} if is_braked else set()), (
            name,
            status,
            fate,
        )


def check_dead(home: Path, folder: Path) -> None:
    """MLflow never has what the ledger has not."""
    _check_is_part(four_books.runs(home), four_books.ledger(folder))


def check_mended(home: Path, folder: Path) -> None:
    """After a driver's orderly end, or a reconciliation: nothing differs, nothing waits."""
    ledger, study = four_books.ledger(folder), four_books.study(folder)
    assert all(entry.fate != GOES_ON for entry in ledger.values()), ledger
    assert all(entry.fate != GOES_ON for entry in study.values()), study
    for name, told in study.items():
        fate = ledger[name].fate if name in ledger else "stopped"
        assert told.fate == fate, (name, told, fate)
    assert not four_books.spooled(folder)
    _check_mlflow(ledger, four_books.runs(home))
    assert set(four_books.tune_statuses(home)) <= {"TERMINATED", "ERROR"}


def _check_mlflow(ledger: Book, runs: Book) -> None:
    assert set(runs) - {""} == set(ledger), (set(runs), set(ledger))
    for name, entry in ledger.items():
        run = runs[name]
        assert run.fate == STATUSES[entry.fate], (name, run.fate, entry.fate)
        assert run.epochs == entry.epochs, (name, run.epochs, entry.epochs)
        assert run.values == entry.values, (name, run.values, entry.values)


def _check_is_part(runs: Book, ledger: Book) -> None:
    for name, run in runs.items():
        if name:
            assert run.epochs == ledger[name].epochs[: len(run.epochs)], (name, run)
