"""Where a study is kept: a journal beside the sweep, or the database that a URL names."""

import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage, RDBStorage
from sqlalchemy import text

from drmn.errors import ConfigError, DataError
from orchestration.searcher import storage as storages
from orchestration.searcher.storage import close_storage, open_storage, schema_versions


def test_without_a_url_it_is_a_journal_in_folders_that_are_made(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "study.journal"
    for _ in range(2):
        found = open_storage(None, file)
        assert isinstance(found, JournalStorage)
        optuna.create_study(study_name="s", storage=found, load_if_exists=True)
    assert file.is_file()
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING


def test_a_url_names_a_database_that_outlives_broken_connections(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    found = open_storage(url, tmp_path / "none" / "study.journal")
    assert isinstance(found, RDBStorage)
    assert str(found.engine.url) == url
    assert found.engine.pool._pre_ping
    optuna.create_study(study_name="s", storage=found)
    close_storage(found)
    assert not (tmp_path / "none").exists()
    assert found.engine.pool.checkedin() == 0
    assert optuna.get_all_study_names(url) == ["s"]


def test_closing_a_journal_is_nothing_to_do(tmp_path: Path) -> None:
    close_storage(open_storage(None, tmp_path / "study.journal"))


@pytest.mark.parametrize("url", ["nothing", "nodb://host/x", "sqlite:////nowhere/at/all.db"])
def test_what_cannot_be_opened_is_said_without_the_url(url: str, tmp_path: Path) -> None:
    for opened in (
        lambda: open_storage(url, tmp_path / "j"),
        lambda: schema_versions(url, 3),
    ):
        with pytest.raises(ConfigError) as caught:
            opened()
        assert caught.value.message.startswith("the study storage cannot be opened: ")
        assert caught.value.message.endswith("Error")
        assert caught.value.remedy == (
            "check DRMN_STUDY_STORAGE, its server and that its driver is installed"
        )
        assert url not in str(caught.value)


def test_tables_of_another_version_are_compared_not_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/studies.db"
    current, head = schema_versions(url, 3)
    assert current == head
    found = RDBStorage(url)
    with found.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'v2.6.0.a'"))
    close_storage(found)
    assert schema_versions(url, 3) == ("v2.6.0.a", head)


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("postgres://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u@h:1/d?a=b", "postgresql+psycopg://u@h:1/d?a=b"),
        ("postgresql+pg8000://u@h/d", "postgresql+pg8000://u@h/d"),
        ("sqlite:///x.db", "sqlite:///x.db"),
    ],
)
def test_postgresql_is_reached_by_psycopg_3(url: str, opened: str) -> None:
    assert storages._with_driver(url) == opened


def test_a_server_is_waited_for_as_long_as_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    asked: dict[str, object] = {}

    def refuse(**given: object) -> None:
        asked.update(given)
        raise OSError("no")

    monkeypatch.setattr(sys.modules["psycopg"], "connect", lambda *_, **given: refuse(**given))
    with pytest.raises((ConfigError, OSError)):
        schema_versions("postgresql://u@127.0.0.1:1/d", 7)
    assert asked["connect_timeout"] == 7


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


def test_a_damaged_journal_is_named_with_the_way_out(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    journal.write_text("{}\n")
    with pytest.raises(DataError) as refused:
        _study(journal)
    told = str(refused.value)
    assert told.startswith(f"{journal}: not a journal of Optuna's (")
    assert told.endswith(
        "mend: restore it from a copy, or begin the sweep anew under another --name"
    )


def test_a_driver_killed_while_it_wrote_leaves_no_lock_to_wait_for(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    _study(journal)
    (tmp_path / "study.journal.lock").symlink_to(journal)
    started = time.monotonic()
    _study(journal).ask()
    assert time.monotonic() - started < 10
