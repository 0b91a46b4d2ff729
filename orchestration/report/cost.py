"""What each row cost. A training that several rows share is counted once, for the first of them."""

import numpy as np

from drmn.names import COST_GPU_HOURS
from orchestration.report.results import Cell, Results
from orchestration.report.tables import Table
from orchestration.study.files import TrainingResult

_HEADER = ["row", "trainings", "epochs", "minutes each", "minutes in all", "GPU hours", "shared"]


def cost_table(results: Results, dataset: str) -> Table:
    """Rows x cost, with their sum."""
    owners: dict[str, str] = {}
    rows, total = [], 0.0
    for cell in results.rows(dataset):
        owned = {
            seed.key: seed.result
            for seed in cell.seeds.values()
            if owners.setdefault(seed.key, cell.row) == cell.row
        }
        shared = sorted({owners[seed.key] for seed in cell.seeds.values()} - {cell.row})
        rows.append([cell.row, *_cost(cell, list(owned.values())), ", ".join(shared) or "–"])
        total += sum(result.duration_s for result in owned.values()) / 60
    rows.append(
        ["all", str(len(owners)), "", "", f"{total:.1f}", _gpu_hours(_all(results, dataset)), ""]
    )
    caption = (
        f"Cost on {dataset}: time of the trainings themselves, evaluation included; "
        "those shared with an earlier row are counted there"
    )
    return Table(caption=caption, header=_HEADER, rows=rows)


def _cost(cell: Cell, owned: list[TrainingResult]) -> list[str]:
    minutes = [seed.result.duration_s / 60 for seed in cell.seeds.values()]
    epochs = sorted({len(seed.result.history) for seed in cell.seeds.values()})
    return [
        str(len(owned)),
        " or ".join(map(str, epochs)),
        f"{np.mean(minutes):.1f}",
        f"{sum(result.duration_s for result in owned) / 60:.1f}",
        _gpu_hours(owned),
    ]


def _all(results: Results, dataset: str) -> list[TrainingResult]:
    found = {s.key: s.result for cell in results.rows(dataset) for s in cell.seeds.values()}
    return list(found.values())


def _gpu_hours(trainings: list[TrainingResult]) -> str:
    """The trainings' own count, which runs over their epochs."""
    return f"{sum(each.history[-1].get(COST_GPU_HOURS, 0.0) for each in trainings):.2f}"
