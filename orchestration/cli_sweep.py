"""``drmn-sweep``: options to a request, the request to a sweep, its result to the terminal."""

import datetime as dt
import uuid
from typing import Annotated

import typer
from rich.console import Console

from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from drmn.variants import ENSEMBLE
from orchestration.cli_options import (
    RESOURCES,
    Backbone,
    DataRoot,
    Dataset,
    Features,
    ImageSize,
    Weights,
)
from orchestration.exposure import AllowOpenRay
from orchestration.pruning_rule import Pruner, PruningRule
from orchestration.recipe import recipe
from orchestration.request import BetaMode, Resources, SweepRequest
from orchestration.retention_rule import Retention
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
from orchestration.terminal.manner import Json, print_json, progress_console, result_console

_FINAL = "Final runs"
_AUTO = "auto"


def sweep(
    dataset: Dataset,
    data_root: DataRoot = None,
    backbone: Backbone = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    features: Features = None,
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
            max=1000,
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
        float, typer.Option(help="Threads of a trial.", rich_help_panel=RESOURCES)
    ] = 1.0,
    gpus_per_trial: Annotated[
        str | None,
        typer.Option(
            help="May be a fraction, such as 0.25; auto: as many trials share a GPU as fit by "
            "measured memory; default: 1 where there is a GPU, else 0.",
            metavar="NUMBER|auto",
            rich_help_panel=RESOURCES,
        ),
    ] = None,
    max_concurrent: Annotated[
        int | None,
        typer.Option(
            min=1, help="Trials at once; default: all that fit.", rich_help_panel=RESOURCES
        ),
    ] = None,
    keep_checkpoints: Annotated[
        Retention,
        typer.Option(help="Which of a trial's stay in the storage.", rich_help_panel=RESOURCES),
    ] = Retention.BEST_AND_LAST,
    allow_open_ray: AllowOpenRay = False,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Say what it would cost and whether it fits; run nothing."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Search lambda_SC, lambda_GC, beta and gamma; prune; test the winner once per final seed."""
    from orchestration.datasets import resolve_data_root
    from orchestration.feature_choice import FeatureChoice
    from orchestration.fitting_node import refuse_unfit_here
    from orchestration.summary import tell_result
    from orchestration.sweep import run_sweep

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
    console = progress_console(as_json=as_json)
    resources = Resources(cpus=cpus_per_trial, gpus=_gpus(gpus_per_trial))
    refuse_unfit_here(resources, settings)
    rule = PruningRule(
        pruner=pruner_for(pruner, objective),
        grace_period=grace_period,
        reduction_factor=reduction_factor,
        min_samples=min_samples,
    )
    search = searched(
        config,
        trials=trials,
        budget=parse_budget(budget or []),
        pruner=rule.pruner,
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
        resources=resources,
        pruning=rule,
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
    tell_result(run_sweep(request, settings, console), settings, as_json=as_json)


def _gpus(given: str | None) -> float:
    """GPUs per trial; 0 where they are to be measured."""
    if given is None:
        import torch

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
    from orchestration.planning.showing import print_plan
    from orchestration.sweep import plan_sweep

    plan = plan_sweep(request, settings, console)
    if as_json:
        print_json(plan.content())
    else:
        print_plan(plan, result_console())
