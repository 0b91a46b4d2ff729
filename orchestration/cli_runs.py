"""``drmn runs``: sweeps of this machine, how to stop one and how to go on with it."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from drmn.errors import ConfigError, DrmnError
from orchestration.cli_options import SweepName
from orchestration.cli_results import fetch, publish
from orchestration.cli_show import list_runs, show
from orchestration.exposure import AllowOpenRay
from orchestration.request import SweepRequest
from orchestration.request_file import REQUEST_FILE, load_request
from orchestration.settings import read_settings
from orchestration.stopping.budget import USAGE_FILE, Budget, Meter, parse_budget
from orchestration.stopping.driver import driver_of, stop_driver
from orchestration.terminal.commands import add_command, make_group
from orchestration.terminal.exits import EXIT_FAILED, EXIT_OK
from orchestration.terminal.manner import (
    Json,
    error_console,
    print_json,
    progress_console,
    result_console,
)

if TYPE_CHECKING:
    from orchestration.repair.truth import Difference


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
    as_json: Json = False,
) -> None:
    """Go on with a sweep that was killed, stopped or out of budget: nothing lost or doubled."""
    from orchestration.stopping.state import is_done
    from orchestration.summary import tell_result
    from orchestration.sweep import run_sweep

    settings = read_settings(allow_open_ray=allow_open_ray)
    console = progress_console(as_json=as_json)
    folder = settings.sweep_folder(name)
    request = load_request(folder)
    if is_done(request, folder):
        remedy = f"its result is in {folder}; `drmn runs show {name}` shows its trials"
        raise DrmnError(f"the sweep {name!r} is done", remedy)
    if budget:
        limits = Budget() if budget == ["none"] else parse_budget(budget)
        request = replace(request, budget=limits)
    _check_budget(request, folder)
    result = run_sweep(request, settings, console, resume=True)
    tell_result(result, settings, as_json=as_json)


def _check_budget(request: SweepRequest, folder: Path) -> None:
    used = Meter(folder / USAGE_FILE)
    if spent := request.budget.spent(used.wall_h, used.gpu_h):
        raise ConfigError(
            f"{spent}: the attempts so far took {used.wall_h:.3g} h and {used.gpu_h:.3g} GPU-h",
            "give a larger --budget, or --budget none",
        )


def reconcile_runs(
    name: Annotated[str | None, typer.Argument(help="Of a sweep; default: all.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what differs.")] = False,
    as_json: Json = False,
) -> None:
    """Make ledger, Optuna, MLflow and Tune agree about sweeps that nothing runs.

    Exit code 0: nothing differed; 1: something did, and was mended unless --dry-run.
    """
    from orchestration.repair.reconciling import reconcile
    from orchestration.sweep import experiment_name

    settings, console = read_settings(), result_console()
    paths = (settings.home / "sweeps").glob(f"*/{REQUEST_FILE}")
    differing: "dict[str, list[Difference]]" = {}
    for sweep in [name] if name else sorted(path.parent.name for path in paths):
        folder = settings.sweep_folder(sweep)
        request = load_request(folder)
        if name is None and (driver := driver_of(folder)):
            error_console().print(f"{sweep}: left alone, {driver} runs it", highlight=False)
            continue
        found = reconcile(request, settings, experiment_name(request), dry_run=dry_run)
        differing[sweep] = found
        if not as_json:
            _print_differences(console, sweep, found, dry_run=dry_run)
    if as_json:
        print_json({sweep: [asdict(each) for each in found] for sweep, found in differing.items()})
    raise typer.Exit(EXIT_FAILED if any(differing.values()) else EXIT_OK)


def _print_differences(
    console: Console, sweep: str, found: "list[Difference]", *, dry_run: bool
) -> None:
    if not found:
        console.print(f"{sweep}: nothing differs", highlight=False)
        return
    table = Table("run or trial", "book", "has", "should have", box=box.SIMPLE_HEAD)
    for each in found:
        table.add_row(each.subject, each.book, each.has, each.should_have)
    console.print(f"{sweep}: {'differs' if dry_run else 'mended'}", highlight=False)
    console.print(table)


def stop(
    name: SweepName,
    now: Annotated[
        bool, typer.Option("--now", help="Do not wait for the running epochs; they are lost.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for its end.")] = 600.0,
    as_json: Json = False,
) -> None:
    """End a running sweep after its running epochs; `drmn runs resume` goes on with it."""
    folder, console = read_settings().sweep_folder(name), result_console()
    load_request(folder)
    with progress_console(as_json=as_json).status(f"waiting for the running epochs of {name}"):
        driver = stop_driver(folder, name, now=now, timeout_s=timeout)
    if as_json:
        print_json({"sweep": name, "stopped": None if driver is None else asdict(driver)})
    elif driver is None:
        console.print(f"no process runs the sweep {name}", highlight=False)
    else:
        console.print(f"{driver} has stopped", highlight=False)
        console.print(f"continue with `drmn runs resume {name}`", highlight=False)


runs_app = make_group("runs", "List, show, watch, stop, resume, reconcile and publish sweeps.")
_LOOK, _ACT, _SHARE = "Look", "Act", "Share"
add_command(runs_app, "list", list_runs, panel=_LOOK, examples=("drmn runs list --json",))
add_command(runs_app, "show", show, panel=_LOOK, examples=("drmn runs show NAME",))
add_command(
    runs_app,
    "resume",
    resume,
    panel=_ACT,
    examples=("drmn runs resume NAME", "drmn runs resume NAME --budget 16h"),
)
add_command(
    runs_app,
    "stop",
    stop,
    panel=_ACT,
    examples=("drmn runs stop NAME", "drmn runs stop NAME --now"),
)
add_command(
    runs_app, "reconcile", reconcile_runs, panel=_ACT, examples=("drmn runs reconcile --dry-run",)
)
add_command(runs_app, "publish", publish, panel=_SHARE, examples=("drmn runs publish NAME",))
add_command(runs_app, "fetch", fetch, panel=_SHARE, examples=("drmn runs fetch NAME",))
