"""The commands' common manners: options, help, exit codes, messages instead of tracebacks."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from drmn.errors import ConfigError, DataError, DrmnError
from orchestration.cli import app
from orchestration.stopping.brake import StoppedNow
from orchestration.terminal.commands import add_command, make_group
from orchestration.terminal.exits import MEANINGS
from orchestration.terminal.failures import tell_unexpected
from orchestration.terminal.manner import Manner, progress_console, set_manner

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("DRMN_HOME", str(tmp_path / "home"))


def _commands(group: typer.Typer, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [(*path, str(each.name)) for each in group.registered_commands]
    for below in group.registered_groups:
        assert below.typer_instance is not None
        found += _commands(below.typer_instance, (*path, str(below.name)))
    return found


def test_every_command_has_examples_json_verbose_and_quiet() -> None:
    for command in _commands(app):
        done = RUNNER.invoke(app, [*command, "--help"])
        assert done.exit_code == 0
        for wanted in ("--json", "--verbose", "-v", "--quiet", "-q", "Examples:", "drmn"):
            assert wanted in done.stdout, command


def test_help_groups_commands_and_documents_exit_codes() -> None:
    done = RUNNER.invoke(app, ["--help"])
    for panel in ("Search and train", "Use a model", "Follow and compare", "Data and machine"):
        assert panel in done.stdout
    for code, meaning in MEANINGS.items():
        assert f"{code}  {meaning}" in done.stdout
    assert "--install-completion" in done.stdout


def test_no_colour_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[3" not in RUNNER.invoke(app, ["--help"], color=True).stdout


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["swep"], "Did you mean 'sweep'?"),
        (["resume"], "Did you mean 'drmn runs resume'?"),
        (["runs", "lsit"], "Did you mean 'list'?"),
        (["sweep", "--trails", "3"], "Did you mean --trials?"),
        (["sweep", "--dataset", "sprites", "--sampler", "tpee"], "Did you mean tpe?"),
        (["data", "check", "--datset", "cub"], "Did you mean --dataset?"),
        (["--hlep"], "Did you mean --help?"),
        (["runs", "show", "demoo"], "there is no sweep 'demoo'"),
        (["data", "check", "--dataset", "sprits"], "did you mean 'sprites'"),
        (["sweep", "-v", "-q", "--dataset", "cub"], "give one of them"),
    ],
)
def test_a_mistake_is_answered_by_what_was_meant(words: list[str], hint: str) -> None:
    done = RUNNER.invoke(app, words, prog_name="drmn")
    assert done.exit_code == 2
    assert hint in done.stdout + done.stderr
    assert "Traceback" not in done.output


def test_a_misspelt_sweep_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "sweeps" / "demo-1"
    folder.mkdir(parents=True)
    (folder / "request.json").touch()
    done = RUNNER.invoke(app, ["runs", "show", "demo1"])
    assert (done.exit_code, "did you mean 'demo-1'?" in done.stderr) == (2, True)


def _app_that(error: BaseException | None) -> typer.Typer:
    def fail(number: Annotated[int, typer.Option()] = 3) -> None:
        progress_console().print(f"at work on {number}")
        if error is not None:
            raise error

    group = make_group("some", "Some commands.")
    add_command(group, "fail", fail)
    add_command(group, "other", fail)
    return group


class _StoppedError(DrmnError):
    exit_code = 143


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (None, 0, ""),
        (ConfigError("the value is 3", "give 4"), 2, "error: the value is 3\n  to mend: give 4"),
        (DataError("a [file] is cut"), 2, "error: a [file] is cut"),
        (DrmnError("it failed"), 1, "error: it failed"),
        (_StoppedError("2 of 6", "go on"), 143, "2 of 6\n  to mend: go on"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (StoppedNow(signal.SIGTERM), 143, "interrupted"),
    ],
)
def test_errors_become_messages_and_exit_codes(
    error: BaseException | None, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoppedNow, "newest", None)
    done = RUNNER.invoke(_app_that(error), ["fail", "--number", "5"])
    assert (done.exit_code, done.stderr.strip()) == (code, said)
    assert done.stdout == "at work on 5\n"


def test_an_interrupt_that_ray_has_replaced_keeps_its_signals_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ray does so where the signal comes while it waits in C++."""
    monkeypatch.setattr(StoppedNow, "newest", StoppedNow(signal.SIGHUP))
    assert RUNNER.invoke(_app_that(KeyboardInterrupt()), ["fail"]).exit_code == 129


def test_quiet_leaves_the_errors_and_verbose_adds_the_traceback() -> None:
    failing = _app_that(ConfigError("it is so"))
    quiet = RUNNER.invoke(failing, ["fail", "-q"])
    assert (quiet.stdout, quiet.stderr) == ("", "error: it is so\n")
    assert "Traceback" in RUNNER.invoke(failing, ["fail", "-v"]).stderr


def test_a_bug_says_where_its_log_is_and_hides_passwords(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["drmn", "sweep"])
    set_manner(Manner())
    error = RuntimeError("cannot reach http://me:secret@host/x\nmore")
    tell_unexpected(RuntimeError, error, None)
    said = capsys.readouterr().err
    (log,) = (tmp_path / "home" / "logs").iterdir()
    assert "unexpected error: RuntimeError: cannot reach http://me:***@host/x" in said
    assert str(log) in said
    assert "Traceback" not in said
    assert log.read_text().startswith("drmn sweep\n\nRuntimeError: cannot reach")
    assert "secret" not in log.read_text() + said
    assert log.stat().st_mode & 0o077 == 0
    set_manner(Manner(verbose=True))
    tell_unexpected(RuntimeError, error, None)
    assert "more" in capsys.readouterr().err
    set_manner(Manner())


def test_runs_list_is_one_json_document(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "sweeps" / "broken"
    folder.mkdir(parents=True)
    (folder / "request.json").write_text("{")
    done = RUNNER.invoke(app, ["runs", "list", "--json"])
    (row,) = json.loads(done.stdout)
    assert row["sweep"] == "broken"
    assert row["state"].startswith("damaged")


def test_help_needs_no_heavy_library() -> None:
    """Completion asks at every tab."""
    heavy = "{'torch', 'ray', 'mlflow', 'optuna', 'boto3', 'matplotlib', 'pandas'}"
    code = f"import sys, orchestration.cli; print({heavy} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "set()\n", done.stderr


def test_names_are_completed(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "sweeps" / "demo-1"
    folder.mkdir(parents=True)
    (folder / "request.json").touch()
    environ = {"_DRMN_COMPLETE": "complete_bash", "COMP_CWORD": "3"}
    for words, wanted in (("drmn runs show de", "demo-1"), ("drmn sweep --data", "--dataset")):
        asked = {**environ, "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        done = RUNNER.invoke(app, [], env=asked, prog_name="drmn")
        assert wanted in done.stdout.split()
