"""``drmn data``: from a download to a trusted, shared feature store."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from drmn.data.checking import check_dataset
from orchestration.data_report import print_report, report_as_json
from orchestration.datasets import resolve_data_root
from orchestration.progress import progress_bar
from orchestration.settings import read_settings

DatasetName = Annotated[
    str, typer.Option("--dataset", help="sprites, cub, sun, awa2, cifar-awa2 or a folder.")
]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Holds one folder per data set.")
]

data_app = typer.Typer(name="data", help="Check, show and prepare data sets.", no_args_is_help=True)


@data_app.command("check")
def check(
    dataset: DatasetName,
    data_root: DataRoot = None,
    decode: Annotated[bool, typer.Option(help="Decode every picture.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say what is there, missing, broken or leaking. Exit code 0 good, 1 findings, 2 unusable."""
    console = Console(stderr=True)
    root = resolve_data_root(dataset, data_root, read_settings(), console)
    with progress_bar(console) as bar:
        task = bar.add_task("decoding pictures", total=None)
        report = check_dataset(
            dataset,
            root,
            decode=decode,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        typer.echo(json.dumps(report_as_json(report), indent=1))
    else:
        print_report(report, Console())
    raise typer.Exit(report.exit_code)
