"""``drmn ablate``: options to a study."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from drmn.config import Config, parse_override
from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from drmn.presets import preset
from orchestration.cli_options import (
    RESOURCES,
    Backbone,
    DataRoot,
    Datasets,
    Features,
    Weights,
)
from orchestration.exposure import AllowOpenRay
from orchestration.request import Resources
from orchestration.settings import read_settings
from orchestration.terminal.manner import Json, print_json, progress_console, result_console


def ablate(
    datasets: Datasets,
    data_root: DataRoot = None,
    backbone: Backbone = None,
    weights: Weights = None,
    features: Features = None,
    study: Annotated[
        str,
        typer.Option(
            help="paper (Tables 2 and 3), table2, table3, lambda_gc, lambda_sc, gamma, beta, or a "
            ".yaml or .py file with rows of your own."
        ),
    ] = "paper",
    rows: Annotated[
        str | None, typer.Option(help="Run these rows alone, separated by commas.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="How many, from --first-seed.")] = 5,
    first_seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="The first of the seeds.")
    ] = 0,
    tune_each: Annotated[
        int, typer.Option(min=0, help="Trials of every row's own search; 0: the preset's values.")
    ] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of every training.")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Any setting of all rows; repeatable."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the study; default: study and data sets.")
    ] = None,
    cpus_per_trial: Annotated[
        float, typer.Option(help="Threads of a training.", rich_help_panel=RESOURCES)
    ] = 1.0,
    gpus_per_trial: Annotated[
        float, typer.Option(help="May be a fraction, such as 0.25.", rich_help_panel=RESOURCES)
    ] = 0.0,
    max_concurrent: Annotated[
        int | None,
        typer.Option(min=1, help="At once; default: all that fit.", rich_help_panel=RESOURCES),
    ] = None,
    allow_open_ray: AllowOpenRay = False,
    as_json: Json = False,
) -> None:
    """Run an ablation study: rows x data sets x seeds. Giving it again continues it."""
    from orchestration.feature_choice import FeatureChoice
    from orchestration.fitting_node import refuse_unfit_here
    from orchestration.study.reading import read_study
    from orchestration.study.request import StudyRequest
    from orchestration.study.running import run_study

    settings = read_settings(allow_open_ray=allow_open_ray)
    console = progress_console(as_json=as_json)
    resources = Resources(cpus=cpus_per_trial, gpus=gpus_per_trial)
    refuse_unfit_here(resources, settings)
    choice = FeatureChoice.of(features, weights)
    given: dict[str, Scalar] = {
        path: value
        for path, value in {
            "backbone.name": backbone,
            **choice.chosen,
            "training.epochs": epochs,
        }.items()
        if value is not None
    }
    found = read_study(study)
    request = StudyRequest(
        name=name or "-".join([found.name, *datasets]),
        study=found,
        bases={each: _base(each, given, overrides or []) for each in datasets},
        data_root=_data_root(datasets, data_root, console),
        seeds=list(range(first_seed, first_seed + seeds)),
        rows=rows.split(",") if rows else None,
        features=choice.store,
        tune_each=tune_each,
        resources=resources,
        max_concurrent=max_concurrent,
    )
    try:
        folder = run_study(request, settings, console)
    except KeyboardInterrupt:
        console.print("give the same command again: it goes on with what is missing")
        raise
    if as_json:
        print_json({"study": request.name, "folder": str(folder.path)})
        return
    result_console().print(f"files: {folder.path}", highlight=False)
    result_console().print(f"the report: drmn report {request.name}", highlight=False)


def _base(dataset: str, given: dict[str, Scalar], overrides: list[str]) -> Config:
    config = preset(dataset).with_overrides(given)
    return config.with_overrides(dict(parse_override(text) for text in overrides))


def _data_root(datasets: list[str], given: Path | None, console: Console) -> Path:
    from orchestration.datasets import SPRITES, resolve_data_root

    roots = {resolve_data_root(dataset, given, read_settings(), console) for dataset in datasets}
    if len(roots) > 1:
        raise ConfigError(
            f"the data sets {', '.join(datasets)} lie below different folders, but a study has one",
            f"run {SPRITES} in a study of its own, or give --data-root",
        )
    return roots.pop().resolve()
