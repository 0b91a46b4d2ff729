"""Every command with hostile values for each of its options; nothing that takes long is begun."""

import importlib
import os
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest
from tiny_models import tiny_dataset
from typer.main import get_command
from typer.testing import CliRunner

import orchestration
from drmn.data.dataset import load_dataset
from drmn.errors import DrmnError
from orchestration.cli import app

RUNNER = CliRunner()
LONG = "a" * 5_000
Words = tuple[str, ...]

VALUES = (
    "", " ", "\x01\x02\x7f", os.fsdecode(b"\xff\xfe"), LONG, "é\u202e\U0001f600", "../../x", "/",
    "..", "/dev/null", "a/b", "absent/file.yaml", "absent.py", "{folder}", "{file}", "{file}/below",
    "{folder}.yaml", "{file}.yaml", "-1", "0", "1", "nan", "inf", "-inf", "1e999", "9" * 400,
    "9" * 5_000, "0x10", "1_0", "١", "--trials", "-h", "=", "x=y", "a.b.c=1", "training.epochs=",
    "training.epochs=" + "9" * 5_000, "training.epochs=nan", "loss.lambda_sc=-inf",
    "training.seed=" + "[" * 50_000, "model.sit=1", "backbone.weights={folder}", "loss.schedule=;",
    "s3://", "s3://bucket?endpoint_override=", "s3://[", "http://[", "://", "file:///",
    "s3://u:p@b/x", "runs:/", "models:/", "none", "auto", "8h", "1e999h", "-1h",
    "given", "[red]x[/]", "%s%n", "$(id)",
)  # fmt: skip
"""``{folder}`` and ``{file}`` stand for paths that exist; a name with a suffix does not."""

NEEDED = {
    "dataset": "sprites",
    "datasets": "sprites",
    "out": "{folder}/out",
    "model": "{file}",
    "name": "demo",
    "study": "demo",
}
"""Values of what a command cannot do without."""

_SEAMS = (
    "orchestration.sweep.run_sweep",
    "orchestration.sweep.plan_sweep",
    "orchestration.study.running.run_study",
    "orchestration.single_run.train_single",
    "orchestration.levels.prepare_levels",
    "orchestration.cluster_shards.cluster",
    "orchestration.doctor.examining.examine",
    "orchestration.serving.registry.download_model",
    "orchestration.cli_features._extract",
    "drmn.data.store.given_features.ensure_given_features",
    "drmn.data.description.describe",
    "drmn.data.pixels.prepare",
)
"""From here on a command would compute, draw, or ask a server."""


class BegunError(DrmnError):
    """The command was accepted."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One command line; ``option`` names the option that is hostile."""

    command: tuple[str, ...]
    option: str
    value: str
    words: tuple[str, ...]


def commands(group: Any = None, path: Words = ()) -> Iterator[tuple[Any, Words]]:
    """Each command of the program with its words, from the program itself."""
    group = group or get_command(app)
    for name, found in sorted(group.commands.items()):
        if hasattr(found, "commands"):
            yield from commands(found, (*path, name))
        else:
            yield found, (*path, name)


def trials(values: tuple[str, ...] = VALUES) -> Iterator[Trial]:
    """Every value for every option and argument of every command that takes one."""
    for command, path in commands():
        for parameter in command.params:
            if getattr(parameter, "is_flag", False) or parameter.name == "help":
                continue
            for value in values:
                words = (*path, *_line(command, parameter, value))
                name = str(parameter.name)
                yield Trial(command=path, option=name, value=value, words=words)


def _line(command: Any, hostile: Any, value: str) -> list[str]:
    options, arguments = [], []
    for parameter in command.params:
        given = value if parameter is hostile else NEEDED.get(parameter.name, "x")
        if parameter is not hostile and not parameter.required:
            continue
        if isinstance(parameter, click.Argument) or parameter.param_type_name == "argument":
            arguments.append(given)
        else:
            options.append(f"{parameter.opts[0]}={given}")
    return [*options, "--", *arguments]


def harmless(patch: pytest.MonkeyPatch, home: Path) -> dict[str, str]:
    """Make commands harmless; what ``{folder}`` and ``{file}`` stand for."""

    def begin(*_: object, **__: object) -> NoReturn:
        raise BegunError("it would begin now")

    for each in pkgutil.walk_packages(orchestration.__path__, "orchestration."):
        importlib.import_module(each.name)  # else one imported below would keep what is patched
    for seam in _SEAMS:
        patch.setattr(seam, begin, raising=True)
    patch.setattr("orchestration.datasets.render_sprites", lambda *_, **__: None)
    patch.setattr("drmn.data.dataset.load_dataset", _load)
    patch.setattr("drmn.data.checking.load_dataset", _load)
    patch.setattr("drmn.data.images.images", lambda _: None)
    folder, file = home / "folder", home / "file"
    folder.mkdir(exist_ok=True)
    file.write_bytes(b"\x80\x04no model")
    for name, value in {"DRMN_HOME": home / "home", "DRMN_DATA_ROOT": home / "data"}.items():
        patch.setenv(name, str(value))
    for name in ("DRMN_RESULT_STORE", "MLFLOW_TRACKING_URI", "RAY_ADDRESS", "AWS_ENDPOINT_URL"):
        patch.delenv(name, raising=False)
    patch.chdir(folder)
    return {"folder": str(folder), "file": str(file)}


def _load(name: str, root: Path) -> Any:
    """The data set there; sprites are a tiny one that was not rendered."""
    return replace(tiny_dataset(), name=name) if name == "sprites" else load_dataset(name, root)


def tried(trial: Trial, places: dict[str, str]) -> str:
    """``refused`` or ``begun``; anything else is an AssertionError."""
    words = [
        word.replace("{folder}", places["folder"]).replace("{file}", places["file"])
        for word in trial.words
    ]
    done = RUNNER.invoke(app, words, prog_name="drmn")
    shown = f"drmn {' '.join(words)[:300]}\n{done.output[-2000:]}"
    error = done.exception
    if error is not None and not isinstance(error, SystemExit):
        raise AssertionError(f"{type(error).__name__} escapes: {shown}") from error
    assert "Traceback" not in done.output, shown
    assert done.exit_code in (0, 1, 2), shown
    if done.exit_code:
        assert done.output.strip(), shown
        assert len(done.stderr) < 20_000 + 2 * len(trial.value), (
            f"a message of {len(done.stderr)} characters: {shown}"
        )
    return "refused" if done.exit_code and "it would begin now" not in done.output else "begun"
