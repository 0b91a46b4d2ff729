"""docs/cli.md says what is there: every command, exit code and environment variable."""

import re
from pathlib import Path

import typer

from orchestration import settings
from orchestration.cli import app
from orchestration.terminal.exits import MEANINGS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()


def _commands(group: typer.Typer, path: str) -> list[str]:
    found = [f"{path} {each.name}" for each in group.registered_commands]
    for below in group.registered_groups:
        assert below.typer_instance is not None
        found += _commands(below.typer_instance, f"{path} {below.name}")
    return found


def test_every_command_is_listed() -> None:
    listed = re.findall(r"^\|[^|]*\| `(drmn [a-z ]+)`", PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(_commands(app, "drmn"))


def test_exit_codes_are_those_of_the_program() -> None:
    rows = {int(code): text for code, text in re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.M)}
    assert rows == MEANINGS


def test_environment_variables_are_those_that_are_read() -> None:
    listed = re.findall(r"^\| `([A-Z_0-9]+)` \|", PAGE, re.MULTILINE)
    named = {
        value
        for name, value in vars(settings).items()
        if name.isupper() and isinstance(value, str) and value.isupper()
    }
    assert set(listed) == named
    assert len(listed) == len(set(listed))
