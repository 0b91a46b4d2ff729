"""A full disk and its like are told in a sentence, with the file and the remedy."""

import errno
import os

import pytest
import typer
from typer.testing import CliRunner

from orchestration.terminal.commands import add_command
from orchestration.terminal.disk import disk_trouble


def test_other_errors_are_nobodys_to_mend() -> None:
    assert disk_trouble(OSError("what is this")) is None
    assert disk_trouble(FileNotFoundError(errno.ENOENT, "no such file")) is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_command_ends_with_a_sentence(number: int) -> None:
    app = typer.Typer()

    def write() -> None:
        raise OSError(number, os.strerror(number), "/full/result.json")

    add_command(app, "write", write, panel="p", examples=[])
    done = CliRunner().invoke(app, [], env={"COLUMNS": "200"})
    assert done.exit_code == 1
    assert "error: writing or reading failed at /full/result.json" in done.stderr
    assert os.strerror(number) in done.stderr
    assert "give the command again" in done.stderr
