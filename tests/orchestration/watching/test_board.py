"""What a board says of trials, made from a real ledger."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from drmn.names import OBJECTIVE, TIME_EPOCH_S
from drmn.presets import sprites
from orchestration.cli import app
from orchestration.events import Change, Fate
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.progress import TrialLines
from orchestration.request import PruningRule, Resources, SweepRequest
from orchestration.request_file import save_request
from orchestration.settings import read_settings
from orchestration.stopping.budget import OPEN_ENDED
from orchestration.watching.board import board
from orchestration.watching.links import (
    LINKS_FILE,
    dashboard_page,
    load_links,
    run_page,
    study_command,
    tell_links,
)
from orchestration.watching.live import TrialTable, trial_display
from orchestration.watching.table import board_table, headline
from search_spaces.paper import four_parameters


def _request(**more: object) -> SweepRequest:
    config = sprites().with_overrides({"training.epochs": 8})
    fields = {"num_trials": 4, "resources": Resources(), "name": "s", **more}
    return SweepRequest(
        variant="+ensemble",
        config=config,
        space=four_parameters(),
        data_root=Path("/data"),
        **fields,  # type: ignore[arg-type]
    )


def _metrics(value: float, seconds: float = 2.0) -> dict[str, float]:
    return {OBJECTIVE: value, TIME_EPOCH_S: seconds}


def _tell(observer: Ledger | TrialTable | TrialLines) -> None:
    """One complete, one pruned at the first rung, one that runs in its fourth epoch."""
    for trial in ("0000", "0001", "0002"):
        observer.started(trial, {"loss.lambda_sc": 0.1})
    for epoch in range(1, 9):
        observer.epoch_ended("0000", epoch, _metrics(0.1 * epoch))
    observer.ended("0000", Fate.COMPLETE, 8, "")
    for epoch in (1, 2):
        observer.epoch_ended("0001", epoch, _metrics(0.05))
    observer.ended("0001", Fate.PRUNED, 2, "")
    for epoch in (1, 2, 3, 4):
        observer.epoch_ended("0002", epoch, _metrics(0.2 + 0.01 * epoch, 1.0))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DRMN_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("DRMN_STUDY_STORAGE", raising=False)
    folder = tmp_path / "sweeps" / "s"
    save_request(_request(), folder)
    _tell(Ledger(folder / LEDGER_FILE))
    return tmp_path


def test_rows_tell_state_rung_epoch_best_cost_and_what_is_left(home: Path) -> None:
    histories = Ledger(home / "sweeps" / "s" / LEDGER_FILE).histories()
    found = board(_request(), histories, is_running=True)
    whole, pruned, running = found.rows
    assert (whole.state, whole.rung, whole.epoch, whole.cost_s) == ("complete", "2/2", 8, 16.0)
    assert whole.best == pytest.approx(0.8)
    assert (pruned.state, pruned.rung, pruned.left_s) == ("pruned", "1/2", None)
    assert (running.state, running.rung, running.left_s) == ("running", "2/2", 4.0)
    assert (found.num_ended, found.num_trials, found.num_running) == (2, 4, 1)
    assert found.best == whole
    assert found.cost_s == 24.0
    assert found.left_s == pytest.approx(4.0 + (16.0 + 4.0) / 2)  # one waits, as dear as the mean


def test_without_a_driver_nothing_runs_and_without_an_end_nothing_is_guessed(home: Path) -> None:
    histories = Ledger(home / "sweeps" / "s" / LEDGER_FILE).histories()
    found = board(_request(), histories, is_running=False)
    assert (found.rows[2].state, found.left_s) == ("unfinished", None)
    open_ended = board(_request(num_trials=OPEN_ENDED), histories, is_running=True)
    assert (open_ended.num_trials, open_ended.left_s) == (None, None)
    assert "2 trials ended, 1 running" in headline(_request(num_trials=OPEN_ENDED), open_ended)
    empty = board(_request(), {}, is_running=True)
    assert (empty.rows, empty.best, empty.left_s) == ((), None, None)


@pytest.mark.parametrize(("pruner", "rung"), [("hyperband", "2/2"), ("none", ""), ("median", "")])
def test_rungs_are_those_of_the_pruner(home: Path, pruner: str, rung: str) -> None:
    histories = Ledger(home / "sweeps" / "s" / LEDGER_FILE).histories()
    request = _request(pruning=PruningRule(pruner=pruner))  # type: ignore[arg-type]
    assert board(request, histories, is_running=True).rows[0].rung == rung


def _drawn(request: SweepRequest, home: Path, max_rows: int) -> str:
    histories = Ledger(home / "sweeps" / "s" / LEDGER_FILE).histories()
    console = Console(file=io.StringIO(), width=160)
    console.print(board_table(request, board(request, histories, is_running=True), max_rows))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_small_terminal_shows_what_runs_and_what_is_best(home: Path) -> None:
    drawn = _drawn(_request(), home, 2)
    assert "0002" in drawn
    assert "0000" in drawn
    assert "0001" not in drawn
    assert "and 1 more" in drawn
    assert "best val/gzsl_harmonic 80.0 % (trial 0000)" in drawn
    assert "GPU-h" in _drawn(_request(resources=Resources(gpus=1.0)), home, 9)


def test_the_table_is_for_terminals_and_lines_are_for_the_rest(home: Path) -> None:
    plain = Console(file=io.StringIO())
    assert isinstance(trial_display(plain, _request()), TrialLines)
    console = Console(file=io.StringIO(), force_terminal=True, width=160, height=30)
    table = trial_display(console, _request())
    assert isinstance(table, TrialTable)
    table.know(Ledger(home / "sweeps" / "s" / LEDGER_FILE).histories())
    with table:
        table.started("0003", {})
        overrides = {"loss.schedule": "3:lambda_sc=0.1"}
        table.changed("0003", Change(epoch=2, donor="0000", overrides=overrides))
        table.ended("0003", Fate.FAILED, 0, "out of luck")
    table.ended("0002", Fate.STOPPED, 4, "SIGTERM")
    assert isinstance(console.file, io.StringIO)
    drawn = console.file.getvalue()
    assert "3 of 4 trials ended" in drawn
    assert "trial 0003  goes on from trial 0000" in drawn
    assert "trial 0003  failed after epoch 0: out of luck" in drawn
    assert "trial 0002  stopped after epoch 4: SIGTERM" in drawn


def test_the_observer_and_the_ledger_agree() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=160, height=30)
    table = trial_display(console, _request())
    with table:
        _tell(table)
    assert isinstance(console.file, io.StringIO)
    assert "best val/gzsl_harmonic 80.0 % (trial 0000)" in console.file.getvalue()


def test_watch_without_a_terminal_is_one_picture(home: Path) -> None:
    for words in ([], ["s"], ["s", "--once"]):
        done = CliRunner().invoke(app, ["runs", "watch", *words])
        assert done.exit_code == 0, done.output
        assert "sweep s: 2 of 4 trials ended, 0 running" in done.stdout
        assert "unfinished" in done.stdout
        assert f"optuna-dashboard {home}/sweeps/s/study.journal" in done.stdout
    content = json.loads(CliRunner().invoke(app, ["runs", "watch", "s", "--json"]).stdout)
    assert (content["num_ended"], content["rows"][0]["rung"]) == (2, "2/2")


def test_watch_of_nothing_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRMN_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["runs", "watch"])
    assert (done.exit_code, "begin one: drmn-sweep" in done.stderr) == (2, True)


def test_links_are_exact_and_hold_no_password(tmp_path: Path) -> None:
    page = run_page("http://host:5000/", "7", "abc")
    assert page == "http://host:5000/#/experiments/7/runs/abc"
    local = run_page("sqlite:///m.db", "7", "abc")
    assert local == "http://127.0.0.1:5000/#/experiments/7/runs/abc"
    assert run_page("http://host", "", "") == ""
    assert dashboard_page("10.0.0.1:8265") == "http://10.0.0.1:8265"
    assert dashboard_page("") == ""
    assert study_command(None, tmp_path) == f"optuna-dashboard {tmp_path}/study.journal"
    assert study_command("sqlite:///a b.db", tmp_path) == "optuna-dashboard 'sqlite:///a b.db'"
    secret = study_command("postgresql://me:canary@db/x", tmp_path)
    assert secret == 'optuna-dashboard "${DRMN_STUDY_STORAGE/postgresql:/postgresql+psycopg:}"'


def test_links_are_kept_for_other_terminals(tmp_path: Path) -> None:
    settings = read_settings({"DRMN_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": "http://m:1"})
    console = Console(file=io.StringIO(), width=200)
    tell_links(settings, ("3", "r1"), "127.0.0.1:8265", tmp_path, console)
    assert isinstance(console.file, io.StringIO)
    kept = load_links(tmp_path, settings)
    assert kept.lines() == console.file.getvalue().strip().splitlines()
    assert kept.mlflow == "http://m:1/#/experiments/3/runs/r1"
    assert kept.mlflow_command == ""
    local = read_settings({"DRMN_HOME": str(tmp_path)})
    tell_links(local, ("3", "r1"), "", tmp_path, Console(file=io.StringIO()))
    command = f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db"
    assert load_links(tmp_path, local).mlflow_command.endswith(command)
    (tmp_path / LINKS_FILE).write_text("{")
    assert load_links(tmp_path, settings).mlflow == ""
