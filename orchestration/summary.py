"""What a sweep prints at its end."""

import json

from rich import box
from rich.console import Console, Group
from rich.table import Table

from drmn.config_tree import Scalar
from drmn.names import (
    BETA_EXACT,
    GZSL_HARMONIC,
    GZSL_HARMONIC_AT_BETA_EXACT,
    SCORES,
    phased,
)
from drmn.presets import PAPER_SCORES
from orchestration.events import Fate
from orchestration.final import FinalScores
from orchestration.finishing import RESULT_FILE, SweepResult
from orchestration.front import front_table
from orchestration.notes.writing import LEAKED
from orchestration.settings import Settings
from orchestration.terminal.manner import print_json, result_console
from orchestration.tracking import ui_command

NOTES = {
    "cifar-awa2": (
        "CIFAR-AwA2 is a benchmark of our own making (20 AwA2 classes as 32 px CIFAR photographs),"
        " not AwA2.\nThe backbone's ImageNet classes include some of the unseen animals"
        " (chimpanzee, leopard, ...)."
    ),
    "sprites": "sprites is a rendered demo set: its numbers say nothing about photographs.",
}


def tell_result(result: SweepResult, settings: Settings, *, as_json: bool) -> None:
    """On stdout: ``result.json`` with its folder, or what a person wants to know."""
    if not as_json:
        print_summary(result, settings, result_console())
        return
    content = json.loads((result.folder / RESULT_FILE).read_text())
    experiment = {"experiment_id": result.experiment_id, "trouble": result.tracking_trouble}
    print_json({"folder": str(result.folder), "mlflow": experiment, **content})


def print_summary(result: SweepResult, settings: Settings, console: Console) -> None:
    """Best configuration, validation and test scores, and how to open the MLflow UI."""
    dataset = result.tested.contender.config.data.dataset
    console.print()
    console.print(Group(_configuration(result), _scores(result, dataset)))
    if result.front:
        console.print(front_table(result.front, result.objectives))
    for line in _explanations(result, dataset):
        console.print(line, highlight=False)
    if result.protocol == "best-on-test":
        console.print(LEAKED, style="bold red", highlight=False)
    if result.tracking_trouble:
        console.print(f"{result.tracking_trouble}; the files below are complete", style="red")
    console.print(_counts(result), highlight=False)
    if result.comparison:
        console.print(result.comparison, highlight=False)
    if dataset in NOTES:
        console.print(NOTES[dataset], highlight=False)
    console.print(f"files: {result.folder}", highlight=False, soft_wrap=True)
    if result.experiment_id:
        place = f"#/experiments/{result.experiment_id}/runs"
        console.print(f"compare the trials in MLflow, at {place}:", highlight=False)
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
    table.add_column("metric", no_wrap=True)
    columns = ["validation", "test"]
    tested = [result.tested]
    if result.paper is not None:
        columns.append(_setting_name(dataset))
        tested.append(result.paper)
    paper = PAPER_SCORES.get(dataset)
    for name in [*columns, "paper"] if paper else columns:
        table.add_column(name, justify="right")
    for name in SCORES:
        row = [_percent(result.winner.metrics[phased("val", name)])]
        row += [_mean(each, name) for each in tested]
        table.add_row(name, *row, *([_percent(paper[name])] if paper else []))
    exact = result.winner.metrics[phased("val", GZSL_HARMONIC_AT_BETA_EXACT)]
    table.add_row(f"{GZSL_HARMONIC} at exact beta", _percent(exact))
    return table


def _setting_name(dataset: str) -> str:
    """Whose values a preset holds: the paper's for the data sets it reports."""
    return "paper's setting" if dataset in PAPER_SCORES else "preset's setting"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _mean(tested: FinalScores, metric: str) -> str:
    """Mean and half the 95 % interval; the value alone for one seed."""
    found = tested.interval(metric)
    if len(tested.results) == 1:
        return _percent(found.mean)
    return f"{_percent(found.mean)} ± {_percent(found.high - found.mean)}"


def _explanations(result: SweepResult, dataset: str) -> list[str]:
    """What the numbers of the final runs are means of, and what the other setting is."""
    lines = []
    num_seeds = len(result.tested.results)
    if num_seeds > 1:
        lines.append(f"test: mean of {num_seeds} seeds ± half of Student's 95 % interval")
    if result.paper is not None:
        flat = result.paper.contender.config.flat()
        paths = {*result.winner.overrides, "inference.beta"} - {"loss.schedule"}
        values = [f"{path.rpartition('.')[2]} {_shown(flat[path])}" for path in sorted(paths)]
        values.append(f"{flat['training.epochs']} epochs")
        lines.append(f"{_setting_name(dataset)}, tested alike: {', '.join(values)}")
    return lines


def _counts(result: SweepResult) -> str:
    fates = list(result.fates.values())
    return "trials: " + ", ".join(f"{fates.count(fate)} {fate.value}" for fate in Fate)


def _shown(value: Scalar) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
