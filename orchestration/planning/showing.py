"""A plan on a terminal."""

from rich import box
from rich.console import Console
from rich.table import Table

from orchestration.planning.disk import free_bytes
from orchestration.planning.expectation import Expectation
from orchestration.planning.plan import Plan, shown_time


def print_plan(plan: Plan, console: Console) -> None:
    """Pruning, time, memory and disk; the plan itself is on disk already."""
    console.print(_rungs(plan))
    console.print(_costs(plan))
    for line in [*_memory(plan), *_disk(plan)]:
        console.print(line, highlight=False, soft_wrap=True)
    console.print(
        f"nothing was run but a calibration; the same command with --name {plan.name} and without "
        "--plan carries this plan out",
        highlight=False,
        soft_wrap=True,
    )


def _rungs(plan: Plan) -> Table:
    trials = f"{plan.num_trials} trials"
    if plan.is_open_ended:
        trials = f"as many trials as the budget lets, about {plan.num_trials},"
    title = f"plan {plan.name}: {trials} of up to {plan.max_epochs} epochs"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("after epoch", justify="right")
    table.add_column("trials expected to go on", justify="right")
    for epoch, going_on in plan.rungs:
        table.add_row(str(epoch), f"{going_on:.1f}")
    table.add_row(f"{plan.max_epochs} (the last)", f"{plan.pruned.passed[-1]:.1f} complete")
    return table


def _costs(plan: Plan) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("expected")
    table.add_column("with pruning", justify="right")
    table.add_column("without", justify="right")
    both = (plan.pruned, plan.unpruned)
    table.add_row("epochs of trials", *(_epochs(each) for each in both))
    trials = f"time of trials, {plan.concurrency} at once"
    table.add_row(trials, *(shown_time(plan.search_s(each)) for each in both))
    table.add_row(f"time of {plan.num_final_runs} final runs", *(shown_time(plan.final_s),) * 2)
    if plan.extraction_s:
        table.add_row("time to extract features", *(shown_time(plan.extraction_s),) * 2)
    table.add_row("wall time in all", *(shown_time(plan.wall_s(each)) for each in both))
    table.add_row("GPU-hours", *(f"{plan.gpu_hours(each):.2f}" for each in both))
    return table


def _epochs(expected: Expectation) -> str:
    """Mean and, where pruning leaves it open, standard deviation."""
    spread = f" ± {expected.spread:.0f}" if expected.spread else ""
    return f"{expected.epochs:.0f}{spread}"


def _memory(plan: Plan) -> list[str]:
    measured = plan.measured
    lines = [
        f"memory: {_size(measured.trial_bytes)} per trial above {_size(measured.base_bytes)} of "
        f"its process; {plan.fit_in_memory} fit in the nodes' memory"
    ]
    if plan.fit_on_gpus is not None:
        lines.append(
            f"GPU: {_size(measured.gpu_bytes)} of {_size(measured.gpu_total_bytes)} per trial; "
            f"{plan.fit_on_gpus} fit on one, {plan.gpus:g} is reserved for each"
        )
    return lines


def _disk(plan: Plan) -> list[str]:
    places = plan.places
    lines = [
        f"checkpoints: {_size(plan.measured.checkpoint_bytes)} x {places.num_checkpoints} kept = "
        f"{_size(plan.checkpoints_bytes)} in {places.checkpoints} ({_free(places.checkpoints)})"
    ]
    if places.store is not None:
        state = "there already" if places.store_exists else "to be made"
        lines.append(
            f"features: {_size(places.store_bytes)}, {state}, in {places.store} "
            f"({_free(places.store)})"
        )
    return lines


def _free(place: str) -> str:
    free = free_bytes(place)
    return "its free space is not known" if free is None else f"{_size(free)} free"


def _size(size_bytes: int) -> str:
    if size_bytes < 1e9:
        return f"{size_bytes / 1e6:.0f} MB"
    return f"{size_bytes / 1e9:.1f} GB"
