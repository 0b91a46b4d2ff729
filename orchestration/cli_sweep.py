"""``drmn-sweep``: options to a request, the request to a sweep, its result to the terminal."""

import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from drmn.variants import ENSEMBLE
from orchestration.datasets import resolve_data_root
from orchestration.exposure import AllowOpenRay
from orchestration.feature_choice import HELP as FEATURES_HELP
from orchestration.feature_choice import FeatureChoice
from orchestration.planning.showing import print_plan
from orchestration.recipe import recipe
from orchestration.request import BetaMode, Pruner, PruningRule, Resources, SweepRequest
from orchestration.retention import Retention
from orchestration.sampling import SamplerRule
from orchestration.search_options import (
    PANEL,
    Beta,
    Enqueue,
    GridPoints,
    Objectives,
    PaperFirst,
    Sampler,
    Trials,
    WarmStart,
    pruner_for,
    sampler_for,
    searched,
)
from orchestration.settings import Settings, read_settings
from orchestration.stopping.budget import parse_budget
from orchestration.summary import print_summary
from orchestration.sweep import plan_sweep, run_sweep

_DATA = "Data and backbone"
_RESOURCES = "Resources"
_FINAL = "Final runs"
_AUTO = "auto"


def sweep(
    dataset: Annotated[
        str,
        typer.Option(
            help="sprites, cub, sun, awa2, cifar-awa2 or a folder.", rich_help_panel=_DATA
        ),
    ],
    data_root: Annotated[
        Path | None,
        typer.Option(help="Holds one folder per data set.", rich_help_panel=_DATA),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="resnet101, resnet50, resnet18, densenet169.", rich_help_panel=_DATA),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="A file, 'imagenet' or 'none'.", rich_help_panel=_DATA),
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Pixels.", rich_help_panel=_DATA)] = None,
    features: Annotated[str | None, typer.Option(help=FEATURES_HELP, rich_help_panel=_DATA)] = None,
    trials: Trials = None,
    sampler: Sampler = None,
    grid_points: GridPoints = 3,
    enqueue: Enqueue = None,
    paper_first: PaperFirst = True,
    warm_start: WarmStart = None,
    objective: Objectives = None,
    beta: Beta = BetaMode.SEARCH,
    budget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="8h|90m|2d|4gpu-h",
            help="End the search after so much wall or GPU time; repeatable.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Of a full trial.", rich_help_panel=PANEL)
    ] = None,
    variant_name: Annotated[
        str,
        typer.Option("--variant", help="A row of Table 2 or 3.", rich_help_panel=PANEL),
    ] = ENSEMBLE.name,
    pruner: Annotated[
        Pruner | None,
        typer.Option(
            help="What becomes of bad trials; default: asha, none with two objectives.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    grace_period: Annotated[
        int,
        typer.Option(
            help="Epochs before a trial may be pruned; with pbt: between comparisons.",
            rich_help_panel=PANEL,
        ),
    ] = 2,
    reduction_factor: Annotated[
        int,
        typer.Option(help="ASHA and Hyperband keep one in this many.", rich_help_panel=PANEL),
    ] = 2,
    min_samples: Annotated[
        int,
        typer.Option(help="Rivals that median stopping waits for.", rich_help_panel=PANEL),
    ] = 3,
    fold: Annotated[int, typer.Option(min=0, help="Validation fold.", rich_help_panel=PANEL)] = 0,
    seed: Annotated[int, typer.Option(help="Of search and training.", rich_help_panel=PANEL)] = 0,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Any setting; repeatable.", rich_help_panel=PANEL
        ),
    ] = None,
    final_seeds: Annotated[
        int,
        typer.Option(
            min=1,
            help="The winner is trained on trainval and tested once for each of so many seeds.",
            rich_help_panel=_FINAL,
        ),
    ] = 5,
    paper_final: Annotated[
        bool,
        typer.Option(
            help="Test the preset's own values (the paper's) on the same seeds, side by side.",
            rich_help_panel=_FINAL,
        ),
    ] = True,
    name: Annotated[
        str | None, typer.Option(help="Of the sweep; default: data set and time.")
    ] = None,
    cpus_per_trial: Annotated[
        float, typer.Option(help="Threads of a trial.", rich_help_panel=_RESOURCES)
    ] = 1.0,
    gpus_per_trial: Annotated[
        str | None,
        typer.Option(
            help="May be a fraction, such as 0.25; auto: as many trials share a GPU as fit by "
            "measured memory; default: 1 where there is a GPU, else 0.",
            metavar="NUMBER|auto",
            rich_help_panel=_RESOURCES,
        ),
    ] = None,
    max_concurrent: Annotated[
        int | None,
        typer.Option(
            min=1, help="Trials at once; default: all that fit.", rich_help_panel=_RESOURCES
        ),
    ] = None,
    keep_checkpoints: Annotated[
        Retention,
        typer.Option(help="Which of a trial's stay in the storage.", rich_help_panel=_RESOURCES),
    ] = Retention.BEST_AND_LAST,
    allow_open_ray: AllowOpenRay = False,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Say what it would cost and whether it fits; run nothing."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --plan: for machines.")] = False,
) -> None:
    """Search lambda_SC, lambda_GC, beta and gamma; prune; test the winner once.

    Example: drmn-sweep --dataset sprites --trials 8
    """
    given = FeatureChoice.of(features, weights)
    chosen: dict[str, Scalar] = {
        "backbone.name": backbone,
        **given.chosen,
        "data.image_size": image_size,
        "training.epochs": epochs,
    }
    chosen |= {"validation.fold": fold, "training.seed": seed}
    config = recipe(dataset, variant_name, chosen, overrides or [])
    settings = read_settings(allow_open_ray=allow_open_ray)
    console = Console(soft_wrap=True, stderr=as_json)
    if as_json and not plan:
        raise ConfigError("--json was given without --plan", "give both, or neither")
    search = searched(
        config,
        trials=trials,
        sampler=SamplerRule(name=sampler_for(sampler, pruner), grid_points=grid_points),
        enqueue=enqueue,
        paper_first=paper_first,
        warm_start=warm_start,
        objectives=objective,
        beta=beta,
    )
    request = SweepRequest(
        name=name or f"{config.data.dataset}-{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}",
        identity=uuid.uuid4().hex[:8],
        variant=variant_name,
        config=config,
        features=given.store,
        data_root=resolve_data_root(dataset, data_root, settings, console),
        max_concurrent=max_concurrent,
        resources=Resources(cpus=cpus_per_trial, gpus=_gpus(gpus_per_trial)),
        pruning=PruningRule(
            pruner=pruner_for(pruner, objective),
            grace_period=grace_period,
            reduction_factor=reduction_factor,
            min_samples=min_samples,
        ),
        budget=parse_budget(budget or []),
        seed=seed,
        final_seeds=final_seeds,
        paper_final=paper_final,
        measure_gpus=gpus_per_trial == _AUTO,
        keep_checkpoints=keep_checkpoints,
        **search,
    )
    if plan:
        _show_plan(request, settings, console, as_json=as_json)
        return
    print_summary(run_sweep(request, settings, console), settings, console)


def _gpus(given: str | None) -> float:
    """GPUs per trial; 0 where they are to be measured."""
    if given is None:
        return float(torch.cuda.is_available())
    if given == _AUTO:
        return 0.0
    try:
        return float(given)
    except ValueError as error:
        raise ConfigError(
            f"the value of `gpus` per trial is {given!r}, but must be a number or {_AUTO!r}"
        ) from error


def _show_plan(
    request: SweepRequest, settings: Settings, console: Console, *, as_json: bool
) -> None:
    plan = plan_sweep(request, settings, console)
    if as_json:
        typer.echo(json.dumps(plan.content(), indent=1))
    else:
        print_plan(plan, console)
