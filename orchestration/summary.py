"""What a sweep prints at its end."""

from rich import box
from rich.console import Console, Group
from rich.table import Table

from drmn.names import (
    BETA_EXACT,
    GZSL_HARMONIC,
    GZSL_HARMONIC_AT_BETA_EXACT,
    SCORES,
    phased,
)
from drmn.presets import PAPER_SCORES
from orchestration.events import Fate
from orchestration.settings import Settings
from orchestration.sweep import SweepResult
from orchestration.tracking import ui_command

NOTES = {
    "cifar-awa2": (
        "CIFAR-AwA2 is a benchmark of our own making (20 AwA2 classes as 32 px CIFAR photographs),"
        " not AwA2.\nThe backbone's ImageNet classes include some of the unseen animals"
        " (chimpanzee, leopard, ...)."
    ),
    "sprites": "sprites is a rendered demo set: its numbers say nothing about photographs.",
}


_LEAKED = (
    "best-on-test: settings, epoch and beta were chosen on test images. These numbers are not "
    "results and must not stand beside any."
)


def print_summary(result: SweepResult, settings: Settings, console: Console) -> None:
    """Best configuration, validation and test scores, and how to open the MLflow UI."""
    dataset = result.final_config.data.dataset
    console.print()
    console.print(Group(_configuration(result), _scores(result, dataset)))
    if result.protocol == "best-on-test":
        console.print(_LEAKED, style="bold red", highlight=False)
    if result.tracking_trouble:
        console.print(f"{result.tracking_trouble}; the files below are complete", style="red")
    console.print(_counts(result), highlight=False)
    if dataset in NOTES:
        console.print(NOTES[dataset], highlight=False)
    console.print(f"files: {result.folder}", highlight=False, soft_wrap=True)
    console.print(
        f"compare the trials in MLflow, at #/experiments/{result.experiment_id}/runs:",
        highlight=False,
    )
    console.print(f"  {ui_command(settings)}", highlight=False, soft_wrap=True)


def _configuration(result: SweepResult) -> Table:
    title = f"best configuration (trial {result.winner.trial}, epoch {result.winner.epoch})"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("setting")
    table.add_column("value", justify="right")
    for path, value in sorted(result.winner.overrides.items()):
        table.add_row(path, _shown(value))
    exact = result.winner.metrics[phased("val", BETA_EXACT)]
    table.add_row("inference.beta, exact on validation", _shown(exact))
    return table


def _scores(result: SweepResult, dataset: str) -> Table:
    label = "" if result.protocol == "validation" else f" ({result.protocol})"
    table = Table(title=f"scores, per cent{label}", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("metric")
    for name in ("validation", "test"):
        table.add_column(name, justify="right")
    paper = PAPER_SCORES.get(dataset)
    if paper:
        table.add_column("paper", justify="right")
    for name in SCORES:
        row = [result.winner.metrics[phased("val", name)], result.final.scores[name]]
        if paper:
            row.append(paper[name])
        table.add_row(name, *(f"{100 * value:.1f}" for value in row))
    exact = result.winner.metrics[phased("val", GZSL_HARMONIC_AT_BETA_EXACT)]
    table.add_row(f"{GZSL_HARMONIC} at exact beta", f"{100 * exact:.1f}")
    return table


def _counts(result: SweepResult) -> str:
    fates = list(result.fates.values())
    return "trials: " + ", ".join(f"{fates.count(fate)} {fate.value}" for fate in Fate)


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
