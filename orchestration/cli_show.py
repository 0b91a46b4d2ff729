"""``drmn runs list`` and ``drmn runs show``: what sweeps there are, and every trial of one."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from drmn.errors import DrmnError
from orchestration.cli_options import SweepName
from orchestration.request_file import REQUEST_FILE, load_request
from orchestration.settings import read_settings
from orchestration.stopping.budget import OPEN_ENDED
from orchestration.terminal.manner import Json, print_json, result_console
from search_spaces.paper import LAMBDA_GC, LAMBDA_SC

if TYPE_CHECKING:
    from orchestration.ledger import TrialHistory
    from orchestration.request import SweepRequest


def list_runs(as_json: Json = False) -> None:
    """All sweeps, with how many of their trials have ended."""
    settings = read_settings()
    paths = sorted((settings.home / "sweeps").glob(f"*/{REQUEST_FILE}"))
    rows = [_row(path.parent) for path in paths]
    if as_json:
        print_json(rows)
        return
    table = Table("sweep", "data set", "trials ended", "state", box=box.SIMPLE_HEAD)
    for row in rows:
        counts = f"{row['ended']} of {row['trials'] or 'any number'}" if "trials" in row else ""
        table.add_row(row["sweep"], row.get("dataset", ""), counts, row["state"])
    result_console().print(table)


def _row(folder: Path) -> dict[str, Any]:
    from orchestration.stopping.state import describe_state, num_ended

    try:
        request = load_request(folder)
        ended, state = num_ended(folder), describe_state(request, folder)
    except DrmnError as error:
        return {"sweep": folder.name, "state": f"damaged: {error.message}"}
    limit = None if request.num_trials == OPEN_ENDED else request.num_trials
    counts = {"ended": ended, "trials": limit}
    dataset = request.config.data.dataset
    return {"sweep": request.name, "dataset": dataset, **counts, "state": state}


def show(name: SweepName, as_json: Json = False) -> None:
    """Every trial of one sweep: epochs, fate, best value and settings."""
    from orchestration.ledger import LEDGER_FILE, Ledger

    folder = read_settings().sweep_folder(name)
    request = load_request(folder)
    ledger = Ledger(folder / LEDGER_FILE)
    histories = dict(sorted(ledger.histories().items()))
    has_front = request.has_front and any(history.epochs for history in histories.values())
    front = ledger.front(*request.objectives) if has_front else []
    if as_json:
        trials = [_plain(trial, request, each) for trial, each in histories.items()]
        objectives = list(request.objectives)
        members = [{"trial": each.trial, "epoch": each.epoch} for each in front]
        print_json({"sweep": name, "objectives": objectives, "trials": trials, "front": members})
        return
    console = result_console()
    console.print(_trials(request, histories))
    if any(history.changes for history in histories.values()):
        console.print(_changes(histories))
    if front:
        from orchestration.front import front_table

        console.print(front_table(front, request.objectives))


def _plain(trial: str, request: "SweepRequest", history: "TrialHistory") -> dict[str, Any]:
    best = history.best(request.objective)
    return {
        "trial": trial,
        "epochs": history.last_epoch,
        "fate": history.fate.value if history.fate else None,
        "reason": history.reason,
        "overrides": history.overrides,
        "changes": {str(epoch): each.overrides for epoch, each in history.changes.items()},
        "best_epoch": best,
        "best": history.epochs[best] if best else None,
    }


def _trials(request: "SweepRequest", histories: Mapping[str, "TrialHistory"]) -> Table:
    from orchestration.objective import shown

    table = Table("trial", "epochs", "fate", request.objective, "settings", box=box.SIMPLE_HEAD)
    for trial, history in histories.items():
        best = history.best(request.objective)
        value = shown(request.objective, history.epochs[best][request.objective]) if best else ""
        settings = "  ".join(
            f"{path.rpartition('.')[2]}={value:.4g}" if isinstance(value, float) else f"{value}"
            for path, value in sorted(history.overrides.items())
        )
        fate = history.fate.value if history.fate else "unfinished"
        table.add_row(trial, str(history.last_epoch), fate, value, settings)
    return table


def _changes(histories: Mapping[str, "TrialHistory"]) -> Table:
    """Who went on from whom, and every trial's loss weights by epoch since its ancestor began."""
    table = Table("trial", "after epoch", "went on from", "loss weights", box=box.SIMPLE_HEAD)
    for trial, history in histories.items():
        for epoch, change in sorted(history.changes.items()):
            first = "  ".join(
                f"{path.rpartition('.')[2]}={change.overrides[path]}"
                for path in (LAMBDA_SC, LAMBDA_GC)
                if path in change.overrides
            )
            weights = f"{first}  then {change.overrides['loss.schedule']}"
            table.add_row(trial, str(epoch), change.donor, weights)
    return table
