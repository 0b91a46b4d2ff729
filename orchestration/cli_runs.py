"""``drmn runs``: sweeps of this machine, how to stop one and how to go on with it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from drmn.errors import ConfigError, DrmnError
from orchestration.cli_results import fetch, publish
from orchestration.exposure import AllowOpenRay
from orchestration.finishing import RESULT_FILE
from orchestration.front import front_table
from orchestration.ledger import LEDGER_FILE, Ledger, TrialHistory
from orchestration.objective import gain, shown
from orchestration.repair.reconciling import reconcile
from orchestration.repair.truth import Difference
from orchestration.request import SweepRequest
from orchestration.request_file import REQUEST_FILE, load_request
from orchestration.settings import read_settings
from orchestration.stopping.budget import USAGE_FILE, Budget, Meter, parse_budget
from orchestration.stopping.driver import driver_of, stop_driver
from orchestration.stopping.state import describe_state, is_done, num_ended
from orchestration.summary import print_summary
from orchestration.sweep import experiment_name, run_sweep
from search_spaces.paper import LAMBDA_GC, LAMBDA_SC

runs_app = typer.Typer(
    name="runs",
    help="List, show, stop, resume, reconcile and publish sweeps.",
    no_args_is_help=True,
)

runs_app.command("publish")(publish)
runs_app.command("fetch")(fetch)

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
        ended, state = num_ended(folder), describe_state(request, folder)
    except DrmnError as error:
        return folder.name, "", "", f"damaged: {error.message}"
    return request.name, request.config.data.dataset, f"{ended} of {request.num_trials}", state


@runs_app.command("show")
def show(name: SweepName) -> None:
    """Every trial of one sweep: epochs, fate, best value and settings."""
    folder = read_settings().sweep_folder(name)
    request = load_request(folder)
    table = Table("trial", "epochs", "fate", request.objective, "settings", box=box.SIMPLE_HEAD)
    ledger = Ledger(folder / LEDGER_FILE)
    for trial, history in sorted(ledger.histories().items()):
        best = _best(request.objective, history)
        settings = "  ".join(
            f"{path.rpartition('.')[2]}={value:.4g}" if isinstance(value, float) else f"{value}"
            for path, value in sorted(history.overrides.items())
        )
        fate = history.fate.value if history.fate else "unfinished"
        table.add_row(trial, str(history.last_epoch), fate, best, settings)
    console = Console(soft_wrap=True)
    console.print(table)
    if any(history.changes for history in ledger.histories().values()):
        console.print(_changes(ledger.histories()))
    if request.has_front and any(history.epochs for history in ledger.histories().values()):
        console.print(front_table(ledger.front(*request.objectives), request.objectives))


def _changes(histories: Mapping[str, TrialHistory]) -> Table:
    """Who went on from whom, and every trial's loss weights by epoch since its ancestor began."""
    table = Table("trial", "after epoch", "went on from", "loss weights", box=box.SIMPLE_HEAD)
    for trial, history in sorted(histories.items()):
        for epoch, change in sorted(history.changes.items()):
            first = "  ".join(
                f"{path.rpartition('.')[2]}={change.overrides[path]}"
                for path in (LAMBDA_SC, LAMBDA_GC)
                if path in change.overrides
            )
            weights = f"{first}  then {change.overrides['loss.schedule']}"
            table.add_row(trial, str(epoch), change.donor, weights)
    return table


def _best(objective: str, history: TrialHistory) -> str:
    if not history.epochs:
        return ""
    best = max(history.epochs.values(), key=lambda metrics: gain(objective, metrics))
    return shown(objective, best[objective])


@runs_app.command("resume")
def resume(
    name: SweepName,
    budget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="8h|90m|2d|4gpu-h|none",
            help="Instead of the sweep's own, earlier attempts included; repeatable.",
        ),
    ] = None,
    allow_open_ray: AllowOpenRay = False,
) -> None:
    """Go on with a sweep that was killed, stopped or out of budget: nothing lost or doubled."""
    settings = read_settings(allow_open_ray=allow_open_ray)
    console = Console(soft_wrap=True)
    folder = settings.sweep_folder(name)
    request = load_request(folder)
    if is_done(request, folder):
        raise DrmnError(f"the sweep {name!r} is done", f"its result is in {folder / RESULT_FILE}")
    if budget:
        limits = Budget() if budget == ["none"] else parse_budget(budget)
        request = replace(request, budget=limits)
    _check_budget(request, folder)
    result = run_sweep(request, settings, console, resume=True)
    print_summary(result, settings, console)


def _check_budget(request: SweepRequest, folder: Path) -> None:
    used = Meter(folder / USAGE_FILE)
    if spent := request.budget.spent(used.wall_h, used.gpu_h):
        raise ConfigError(
            f"{spent}: the attempts so far took {used.wall_h:.3g} h and {used.gpu_h:.3g} GPU-h",
            "give a larger --budget, or --budget none",
        )


@runs_app.command("reconcile")
def reconcile_runs(
    name: Annotated[str | None, typer.Argument(help="Of a sweep; default: all.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what differs.")] = False,
) -> None:
    """Make ledger, Optuna, MLflow and Tune agree about sweeps that nothing runs.

    Exit code 0: nothing differed; 1: something did, and was mended unless --dry-run.
    """
    settings, console = read_settings(), Console(soft_wrap=True)
    paths = (settings.home / "sweeps").glob(f"*/{REQUEST_FILE}")
    differing = False
    for sweep in [name] if name else sorted(path.parent.name for path in paths):
        folder = settings.sweep_folder(sweep)
        request = load_request(folder)
        if name is None and (driver := driver_of(folder)):
            console.print(f"{sweep}: left alone, {driver} runs it", highlight=False)
            continue
        found = reconcile(request, settings, experiment_name(request), dry_run=dry_run)
        _print_differences(console, sweep, found, dry_run=dry_run)
        differing = differing or bool(found)
    raise typer.Exit(1 if differing else 0)


def _print_differences(
    console: Console, sweep: str, found: list[Difference], *, dry_run: bool
) -> None:
    if not found:
        console.print(f"{sweep}: nothing differs", highlight=False)
        return
    table = Table("run or trial", "book", "has", "should have", box=box.SIMPLE_HEAD)
    for each in found:
        table.add_row(each.subject, each.book, each.has, each.should_have)
    console.print(f"{sweep}: {'differs' if dry_run else 'mended'}", highlight=False)
    console.print(table)


@runs_app.command("stop")
def stop(
    name: SweepName,
    now: Annotated[
        bool, typer.Option("--now", help="Do not wait for the running epochs; they are lost.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for its end.")] = 600.0,
) -> None:
    """End a running sweep after its running epochs; `drmn runs resume` goes on with it."""
    folder, console = read_settings().sweep_folder(name), Console(soft_wrap=True)
    load_request(folder)
    driver = stop_driver(folder, name, now=now, timeout_s=timeout)
    if driver is None:
        console.print(f"no process runs the sweep {name}", highlight=False)
        return
    console.print(f"{driver} has stopped", highlight=False)
    console.print(f"continue with `drmn runs resume {name}`", highlight=False)
