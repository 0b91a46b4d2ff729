"""A board as a table that fits a terminal."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestration.events import Fate
from orchestration.objective import shown
from orchestration.planning.plan import shown_time
from orchestration.request import SweepRequest
from orchestration.watching.board import RUNNING, Board, Row, row_gain

_STYLES = {
    RUNNING: "cyan",
    Fate.COMPLETE.value: "green",
    Fate.FAILED.value: "red",
    Fate.PRUNED.value: "dim",
}
_COLUMNS = ("epoch", "best", "cost", "ETA")


def board_table(request: SweepRequest, found: Board, max_rows: int) -> RenderableType:
    """Running trials, then the best of the others; the rest is counted in a line."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("trial", "state", "rung"):
        table.add_column(name)
    for name in _COLUMNS:
        table.add_column(name, justify="right")
    rows = _chosen(request, found, max(1, max_rows))
    for row in rows:
        table.add_row(*_cells(request, row), style=_STYLES.get(row.state))
    parts: list[RenderableType] = [Text(headline(request, found), style="bold"), table]
    if left := len(found.rows) - len(rows):
        parts.append(Text(f"  and {left} more"))
    return Group(*parts)


def headline(request: SweepRequest, found: Board) -> str:
    """The sweep in one line."""
    asked = "" if found.num_trials is None else f" of {found.num_trials}"
    parts = [f"{found.num_ended}{asked} trials ended", f"{found.num_running} running"]
    if found.best is not None and found.best.best is not None:
        value = shown(request.objective, found.best.best)
        parts.append(f"best {request.objective} {value} (trial {found.best.trial})")
    parts.append(f"cost {_cost(request, found.cost_s)}")
    if found.left_s is not None:
        parts.append(f"about {shown_time(found.left_s)} left")
    return f"sweep {request.name}: {', '.join(parts)}"


def _chosen(request: SweepRequest, found: Board, max_rows: int) -> list[Row]:
    """In the order of their names."""
    if len(found.rows) <= max_rows:
        return list(found.rows)

    def rank(row: Row) -> tuple[bool, float]:
        return row.state == RUNNING, row_gain(request, row)

    best_first = sorted(found.rows, key=rank, reverse=True)
    return sorted(best_first[:max_rows], key=lambda row: row.trial)


def _cells(request: SweepRequest, row: Row) -> list[str]:
    return [
        row.trial,
        row.state,
        row.rung or "-",
        f"{row.epoch}/{request.config.training.epochs}",
        "" if row.best is None else shown(request.objective, row.best),
        _cost(request, row.cost_s),
        "" if row.left_s is None else shown_time(row.left_s),
    ]


def _cost(request: SweepRequest, seconds: float) -> str:
    """GPU-hours where trials hold GPUs, else time."""
    gpus = request.resources.gpus
    return f"{gpus * seconds / 3600:.2f} GPU-h" if gpus else shown_time(seconds)
