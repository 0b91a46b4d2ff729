"""Every command that a page shows is known to the program it calls, with all of its options."""

import contextlib
import io
import os
import re
import tomllib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import typer
from documentation import (
    EXECUTED,
    NOT_RUN,
    REPOSITORY,
    Block,
    blocks,
    inline_commands,
    pages,
    split_commands,
)

from orchestration import cli, settings

FOREIGN = {
    "kubectl": "needs a Kubernetes cluster",
    "helm": "needs a Kubernetes cluster",
    "kind": "makes a Kubernetes cluster",
    "terraform": "makes machines that cost money",
    "docker": "needs a container engine",
    "podman": "needs a container engine",
    "aws": "needs an account",
    "ssh": "needs another machine",
    "scp": "needs another machine",
    "rsync": "needs another machine",
    "apt-get": "changes the machine",
    "systemctl": "changes the machine",
    "mlflow": "checked with Ray's in a test of its own",
    "ray": "checked with MLflow's in a test of its own",
    "optuna-dashboard": "not among the dependencies",
}
"""Programs of others, and why what a page asks of them, and of the shell beside, is not run."""
SHELL = {
    "cd", "echo", "cat", "export", "mkdir", "ls", "eval", "cp", "sed", "exit", ".",
    "chmod", "umask", "openssl",
}  # fmt: skip
ALL_BLOCKS = [block for page in pages() for block in blocks(page)]
SHELL_BLOCKS = [block for block in ALL_BLOCKS if block.commands()]


@cache
def _parser(program: str) -> Any:
    """The program's click command; what it would do is nothing."""
    app = {
        "drmn": cli.app,
        "drmn-sweep": cli.sweep_app,
        "orchestration/ablation.py": cli.ablation_app,
    }[program]
    command = typer.main.get_command(app)
    _disarm(command)
    return command


def _disarm(command: Any) -> None:
    if command.callback is not None:
        command.callback = lambda **_: None
    for inner in getattr(command, "commands", {}).values():
        _disarm(inner)


def complaint(words: list[str]) -> str:
    """What the program's own parser says of wrong arguments; "" if it takes them."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            _parser(words[0])(args=words[1:], prog_name=words[0])
        except SystemExit as end:
            return said.getvalue() if end.code else ""
    return ""


def _make(words: list[str]) -> str:
    targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    unknown = [word for word in words[1:] if word not in targets and "=" not in word]
    return f"no target {unknown} in the Makefile" if unknown else ""


def _pip(words: list[str]) -> str:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = re.findall(r"(?:drmn|\.)\[([\w,-]+)\]", " ".join(words))
    asked = {extra for group in named for extra in group.split(",")}
    unknown = asked - set(project["optional-dependencies"])
    return f"no extra {unknown} in pyproject.toml" if unknown else ""


def _export(words: list[str]) -> str:
    known = {value for value in vars(settings).values() if isinstance(value, str)}
    named = [word.partition("=")[0] for word in words[1:]]
    unknown = [name for name in named if name.startswith("DRMN_") and name not in known]
    return f"{unknown} are read nowhere" if unknown else ""


OWN: dict[str, Callable[[list[str]], str]] = {
    "drmn": complaint,
    "drmn-sweep": complaint,
    "orchestration/ablation.py": complaint,
    "make": _make,
    "pip": _pip,
    "export": _export,
}


def _trouble(words: list[str], block: Block) -> str:
    program = words[0].rpartition("/bin/")[2].removeprefix("./")
    if program in OWN:
        return OWN[program]([program, *words[1:]])
    if program.startswith(("infra/", ".ci/")):
        is_there = os.access(REPOSITORY / program, os.X_OK)
        return "" if is_there else f"{program} is no file that can be run"
    if program in FOREIGN or program in SHELL or block.language not in ("bash", "sh"):
        return ""
    is_excused = any(words[0] in FOREIGN for words in block.commands())
    if is_excused or block.mark.startswith(NOT_RUN) or block.mark == EXECUTED:
        return ""
    return f"nothing here knows {program!r}: mark the block <!-- {NOT_RUN}reason -->"


@pytest.mark.parametrize("block", SHELL_BLOCKS, ids=[block.place for block in SHELL_BLOCKS])
def test_commands_of_a_block_are_taken_by_their_programs(block: Block) -> None:
    found = {" ".join(words): _trouble(words, block) for words in block.commands()}
    assert {words: said for words, said in found.items() if said} == {}


@pytest.mark.parametrize("page", pages(), ids=[page.name for page in pages()])
def test_inline_commands_name_known_subcommands_and_options(page: Any) -> None:
    for text in inline_commands(page):
        for words in split_commands(text):
            said = complaint(words) if words[0] in ("drmn", "drmn-sweep") else ""
            assert "No such" not in said, said  # arguments may be left out in prose


def test_every_mark_that_keeps_a_block_from_running_gives_a_reason() -> None:
    marked = [block for block in ALL_BLOCKS if block.mark.startswith(NOT_RUN.strip())]
    assert all(len(block.mark) > len(NOT_RUN) + 8 for block in marked)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("drmn-sweep --dataset sun --trails 8", "trails"),
        ("drmn runs resum NAME", "resum"),
        ("drmn train --dataset sun", "--out"),
        ("drmn-sweep --dataset sun --trials many", "--trials"),
        ("make sweeep", "sweeep"),
        ("pip install 'drmn[orchestra]'", "orchestra"),
        ("export DRMN_STORE=s3://bucket", "DRMN_STORE"),
        ("infra/local/upp", "upp"),
        ("frobnicate --all", "frobnicate"),
    ],
)
def test_what_no_program_takes_is_found(line: str, word: str) -> None:
    page = REPOSITORY / "README.md"
    block = Block(page=page, line=1, language="bash", mark="", text=line)
    [words] = block.commands()
    assert word in _trouble(words, block)
