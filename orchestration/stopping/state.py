"""How far a sweep is, from its folder."""

from pathlib import Path

from orchestration.finishing import RESULT_FILE
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.request import SweepRequest
from orchestration.stopping.driver import driver_of


def num_ended(folder: Path) -> int:
    """Trials that nothing can follow."""
    return sum(fate.is_final for fate in Ledger(folder / LEDGER_FILE).fates().values())


def is_done(request: SweepRequest, folder: Path) -> bool:
    """Whether the winner of all requested trials has been tested."""
    return (folder / RESULT_FILE).exists() and num_ended(folder) >= request.num_trials


def describe_state(request: SweepRequest, folder: Path) -> str:
    """``running``, ``done``, ``budget spent`` (tested, and can be continued) or ``unfinished``."""
    if driver := driver_of(folder):
        return f"running: {driver}"
    if not (folder / RESULT_FILE).exists():
        return "unfinished"
    return "done" if is_done(request, folder) else "budget spent"
