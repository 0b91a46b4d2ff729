"""``drmn evaluate``: a model's own table, measured anew and compared."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from drmn.names import GZSL_AUSUC, SCORES
from orchestration.cli_options import DataRoot, complete_dataset
from orchestration.cli_predict import ModelOption
from orchestration.settings import read_settings
from orchestration.terminal.exits import EXIT_FAILED
from orchestration.terminal.manner import (
    Json,
    error_console,
    print_json,
    progress_console,
    result_console,
)

if TYPE_CHECKING:
    from orchestration.serving.evaluating import Comparison


def evaluate(
    model: ModelOption,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Default: the one the model was trained on.", autocompletion=complete_dataset
        ),
    ] = None,
    data_root: DataRoot = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Show each class's own accuracy.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Evaluate a model again on the images it was tested on, and compare with its own record.

    Exit code 1 where a figure differs.
    """
    comparison = _compared(model, dataset, data_root, progress_console(as_json=as_json))
    if as_json:
        print_json({"model": model, "differing": comparison.differing, **asdict(comparison)})
    else:
        _print(comparison, result_console(), per_class=per_class)
    if comparison.differing:
        named = ", ".join(comparison.differing[:10])
        error_console().print(
            f"[bold red]different from the model's record:[/] {named}", highlight=False
        )
        raise typer.Exit(EXIT_FAILED)


def _compared(
    model: str, dataset: str | None, data_root: Path | None, console: Console
) -> "Comparison":
    import torch

    from drmn.data.dataset import load_dataset
    from orchestration.datasets import resolve_data_root
    from orchestration.serving.evaluating import reevaluate
    from orchestration.serving.reading import read_model

    settings = read_settings()
    saved = read_model(model, settings)
    name = dataset or saved.record.dataset
    found = load_dataset(name, resolve_data_root(name, data_root, settings, console))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with console.status(f"evaluating on {found.name}"):
        return reevaluate(saved, found, settings.cache_root, device)


def _print(comparison: "Comparison", console: Console, *, per_class: bool) -> None:
    recorded, found = comparison.recorded, comparison.found
    names = [*SCORES, GZSL_AUSUC]
    title = f"{found.dataset}, {found.protocol}, per cent"
    console.print(_table(title, "metric", recorded.scores, found.scores, names))
    if per_class:
        classes = list(found.class_accuracies)
        before, now = recorded.class_accuracies, found.class_accuracies
        console.print(_table("accuracy of each class", "class", before, now, classes))
    if not comparison.differing:
        console.print("equal to the model's record", highlight=False)


def _table(
    title: str, kind: str, before: Mapping[str, float], now: Mapping[str, float], names: list[str]
) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column(kind)
    for column in ("recorded", "found"):
        table.add_column(column, justify="right")
    for name in names:
        table.add_row(name, *(f"{100 * values[name]:.2f}" for values in (before, now)))
    return table
