"""``drmn runs``: sweeps of this machine, how to stop one and how to go on with it."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from drmn.errors import ConfigError, DrmnError
from orchestration.cli_options import SweepName
from orchestration.cli_reconcile import reconcile_runs
from orchestration.cli_results import fetch, publish
from orchestration.cli_show import list_runs, show
from orchestration.cli_watch import watch
from orchestration.exposure import AllowOpenRay
from orchestration.request import SweepRequest
from orchestration.request_file import load_request
from orchestration.settings import read_settings
from orchestration.stopping.budget import USAGE_FILE, Budget, Meter, parse_budget
from orchestration.stopping.driver import stop_driver
from orchestration.terminal.commands import add_command, make_group
from orchestration.terminal.manner import (
    Json,
    print_json,
    progress_console,
    result_console,
)


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
    "watch",
    watch,
    panel=_LOOK,
    examples=("drmn runs watch", "drmn runs watch NAME --once", "drmn runs watch NAME --json"),
)
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
