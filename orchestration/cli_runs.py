"""``drmn runs``: sweeps of this machine, and how to go on with one."""

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from drmn.errors import DrmnError
from orchestration.finishing import RESULT_FILE
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.request_file import REQUEST_FILE, load_request
from orchestration.settings import read_settings
from orchestration.summary import print_summary
from orchestration.sweep import run_sweep

runs_app = typer.Typer(name="runs", help="List, show and resume sweeps.", no_args_is_help=True)

SweepName = Annotated[str, typer.Argument(help="As `drmn runs list` shows it.")]


@runs_app.command("list")
def list_runs() -> None:
    """All sweeps, with how many of their trials have ended."""
    settings = read_settings()
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("sweep", "data set", "trials ended", "state"):
        table.add_column(column)
    for path in sorted((settings.home / "sweeps").glob(f"*/{REQUEST_FILE}")):
        table.add_row(*_row(path.parent))
    Console().print(table)


def _row(folder: Path) -> tuple[str, str, str, str]:
    try:
        request = load_request(folder)
        ended = len(Ledger(folder / LEDGER_FILE).fates())
    except DrmnError as error:
        return folder.name, "", "", f"damaged: {error.message}"
    state = "done" if (folder / RESULT_FILE).exists() else "unfinished"
    return request.name, request.config.data.dataset, f"{ended} of {request.num_trials}", state


@runs_app.command("show")
def show(name: SweepName) -> None:
    """Every trial of one sweep: epochs, fate, best value and settings."""
    folder = read_settings().sweep_folder(name)
    request = load_request(folder)
    table = Table("trial", "epochs", "fate", request.objective, "settings", box=box.SIMPLE_HEAD)
    for trial, history in sorted(Ledger(folder / LEDGER_FILE).histories().items()):
        best = max((m[request.objective] for m in history.epochs.values()), default=0.0)
        settings = "  ".join(
            f"{path.rpartition('.')[2]}={value:.4g}" if isinstance(value, float) else f"{value}"
            for path, value in sorted(history.overrides.items())
        )
        fate = history.fate.value if history.fate else "unfinished"
        table.add_row(trial, str(history.last_epoch), fate, f"{100 * best:.1f} %", settings)
    Console(soft_wrap=True).print(table)


@runs_app.command("resume")
def resume(name: SweepName) -> None:
    """Go on with a sweep whose driver died or was interrupted: nothing lost, nothing doubled."""
    settings, console = read_settings(), Console(soft_wrap=True)
    folder = settings.sweep_folder(name)
    request = load_request(folder)
    if (folder / RESULT_FILE).exists():
        raise DrmnError(f"the sweep {name!r} is done", f"its result is in {folder / RESULT_FILE}")
    print_summary(run_sweep(request, settings, console, resume=True), settings, console)
