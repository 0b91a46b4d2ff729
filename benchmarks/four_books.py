"""What ledger, Optuna, MLflow (with its spool) and Tune say of a sweep, read without our own code.

Each reader gives, by trial: the epochs it has, in its order, and what became of the trial.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

OBJECTIVE = "val/gzsl_harmonic"
GOES_ON = "goes on"
_ALIKE = {
    "RUNNING": GOES_ON,
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
    "WAITING": "stopped",
}


@dataclass(kw_only=True)
class Entry:
    """One trial in one book; ``fate`` is "goes on" where it has none."""

    epochs: list[int] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    fate: str = GOES_ON


Book = dict[str, Entry]


def ledger(folder: Path) -> Book:
    """The ledger's; a cut last line is no line."""
    book: Book = {}
    for line in _lines(folder / "ledger.jsonl"):
        if "overrides" in line:
            entry = book.setdefault(line["trial"], Entry(settings=line["overrides"]))
            entry.fate = GOES_ON if entry.fate == "stopped" else entry.fate
        elif "epoch" in line:
            book[line["trial"]].epochs.append(line["epoch"])
            book[line["trial"]].values[line["epoch"]] = line["metrics"][OBJECTIVE]
        elif "fate" in line:
            book[line["trial"]].fate = line["fate"]
    return book


def study(folder: Path) -> Book:
    """Optuna's."""
    file = folder / "study.journal"
    if not file.exists():
        return {}
    storage = JournalStorage(JournalFileBackend(str(file)))
    book: Book = {}
    for each in storage.get_all_studies():
        for trial in storage.get_all_trials(each._study_id, deepcopy=False):
            is_new = trial.state == optuna.trial.TrialState.WAITING and not trial.params
            if not is_new:
                book[f"{trial.number:04d}"] = Entry(
                    epochs=sorted(trial.intermediate_values),
                    values=dict(trial.intermediate_values),
                    settings=dict(trial.params),
                    fate=_ALIKE[trial.state.name],
                )
    return book


def runs(home: Path) -> Book:
    """MLflow's, by the last part of the trial key; the sweep's own run is "".

    Raises:
        AssertionError: two runs have one key.
    """
    book: Book = {}
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        keys = database.execute(
            "SELECT t.value, r.run_uuid, r.status FROM tags t JOIN runs r USING (run_uuid) "
            "WHERE t.key = 'drmn.trial_key' AND r.lifecycle_stage = 'active'"
        ).fetchall()
        for key, run, status in keys:
            name = key.partition("/")[2]
            assert name not in book, f"two runs have the key {key}"
            points = database.execute(
                "SELECT step, value FROM metrics WHERE run_uuid = ? AND key = ? ORDER BY step",
                (run, OBJECTIVE),
            ).fetchall()
            params = database.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run,))
            book[name] = Entry(
                epochs=[step for step, _ in points],
                values=dict(points),
                settings=dict(params.fetchall()),
                fate=status,
            )
    return book


def spooled(folder: Path) -> list[dict[str, Any]]:
    """Events that wait for MLflow, in their order."""
    (events,) = (folder / "mlflow").glob("*/events.jsonl")
    content = events.read_bytes()
    offsets = events.with_suffix(".offset")
    text = offsets.read_text().strip() if offsets.exists() else ""
    offset = int(text) if text and int(text) <= len(content) else 0
    return [json.loads(line) for line in content[offset:].split(b"\n")[:-1]]


def runs_to_be(home: Path, folder: Path) -> Book:
    """MLflow's once it has what waits for it; an epoch that it has stays as it is."""
    book = runs(home)
    for event in spooled(folder):
        entry = book.setdefault(event["run"].partition("/")[2], Entry())
        if event["kind"] == "open":
            entry.fate = "RUNNING"
        elif event["kind"] == "close":
            entry.fate = event["status"]
        elif event["kind"] == "metrics" and event["step"] not in entry.values:
            entry.epochs.append(event["step"])
            entry.values[event["step"]] = event["values"][OBJECTIVE]
    return book


def tune_statuses(home: Path) -> Iterator[str]:
    """Of all trials of all attempts, by the newest state of each."""
    for folder in sorted((home / "ray").glob("*")):
        states = sorted(folder.glob("experiment_state-*.json"))
        if states:
            for trial, _ in json.loads(states[-1].read_text())["trial_data"]:
                yield json.loads(trial)["status"]


def _lines(file: Path) -> list[dict[str, Any]]:
    content = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in content.split("\n")[:-1]]
