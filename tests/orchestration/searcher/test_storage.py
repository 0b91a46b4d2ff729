"""Optuna's journal outlives a death at any byte of an append."""

import time
from pathlib import Path

import optuna

from orchestration.searcher.storage import open_storage


def _study(journal: Path) -> optuna.Study:
    return optuna.create_study(
        study_name="s", storage=open_storage(None, journal), load_if_exists=True
    )


def test_a_line_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    _study(journal).ask()
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole.splitlines()[-1][:20])
    study = _study(journal)
    study.tell(study.ask(), 0.5)
    assert [trial.value for trial in _study(journal).trials] == [None, 0.5]


def test_a_driver_killed_while_it_wrote_leaves_no_lock_to_wait_for(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    _study(journal)
    (tmp_path / "study.journal.lock").symlink_to(journal)
    started = time.monotonic()
    _study(journal).ask()
    assert time.monotonic() - started < 10
