"""A Pareto front as a table."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from orchestration.ledger import Winner
from orchestration.objective import direction, shown


def front_table(front: Sequence[Winner], objectives: Sequence[str]) -> Table:
    """Its members, best in the first objective first: the first is the sweep's winner."""
    title = f"Pareto front; the winner is its best in {objectives[0]}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("trial")
    table.add_column("epoch", justify="right")
    for objective in objectives:
        table.add_column(f"{objective} ({direction(objective)})", justify="right")
    for each in front:
        values = [shown(objective, each.metrics[objective]) for objective in objectives]
        table.add_row(each.trial, str(each.epoch), *values)
    return table
