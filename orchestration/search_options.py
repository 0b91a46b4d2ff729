"""The options of ``drmn-sweep`` that say what is searched, by whom, and what decides."""

from pathlib import Path
from typing import Annotated, Any

import typer

from drmn.config import Config
from drmn.names import OBJECTIVE
from orchestration.objective import AT_ANY_BETA
from orchestration.pruning_rule import Pruner
from orchestration.request import BetaMode
from orchestration.sampling import SamplerName, SamplerRule, planned_trials
from orchestration.searcher.enqueue import read_enqueued
from orchestration.stopping.budget import OPEN_ENDED, Budget
from search_spaces.paper import BETA
from search_spaces.registry import search_space

PANEL = "Search"
NUM_TRIALS = 16

Trials = Annotated[
    int | None,
    typer.Option(
        min=1,
        help=f"How many; default: {NUM_TRIALS}, the grid's size, or as many as --budget lets.",
        rich_help_panel=PANEL,
    ),
]
Sampler = Annotated[
    SamplerName | None,
    typer.Option(
        help="Who draws the configurations; default: tpe, random with pbt.", rich_help_panel=PANEL
    ),
]
GridPoints = Annotated[int, typer.Option(help="Of the grid, per range.", rich_help_panel=PANEL)]
Enqueue = Annotated[
    Path | None,
    typer.Option(help="YAML list of configurations to try first.", rich_help_panel=PANEL),
]
PaperFirst = Annotated[
    bool, typer.Option(help="Try the preset's own values first.", rich_help_panel=PANEL)
]
WarmStart = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SWEEP", help="Learn from an earlier sweep; repeatable.", rich_help_panel=PANEL
    ),
]
Objectives = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        metavar="METRIC",
        help=f"What decides, default {OBJECTIVE}; twice for a Pareto front.",
        rich_help_panel=PANEL,
    ),
]
Beta = Annotated[
    BetaMode,
    typer.Option(help="Spend trials on beta, or score each at its best.", rich_help_panel=PANEL),
]


def pruner_for(pruner: Pruner | None, objectives: list[str] | None) -> Pruner:
    """What was asked for; else ASHA, which two objectives leave no room for."""
    if pruner is not None:
        return pruner
    return Pruner.NONE if len(objectives or ()) > 1 else Pruner.ASHA


def sampler_for(sampler: SamplerName | None, pruner: Pruner | None) -> SamplerName:
    """What was asked for; else TPE, which would learn a wrong mapping of trials that change."""
    if sampler is not None:
        return sampler
    return SamplerName.RANDOM if pruner is Pruner.PBT else SamplerName.TPE


def searched(
    config: Config,
    *,
    trials: int | None,
    budget: Budget,
    pruner: Pruner,
    sampler: SamplerRule,
    enqueue: Path | None,
    paper_first: bool,
    warm_start: list[str] | None,
    objectives: list[str] | None,
    beta: BetaMode,
) -> dict[str, Any]:
    """What these options mean for a request's fields.

    Raises:
        ConfigError: the file to enqueue cannot be used, or the grid is too large.
    """
    space = dict(search_space(config.data.dataset))
    if beta == BetaMode.EXACT:
        space.pop(BETA)
    enqueued = () if enqueue is None else read_enqueued(enqueue, space, config.flat())
    planned = planned_trials(config, space, sampler, enqueued=enqueued, paper_first=paper_first)
    if sampler.name == SamplerName.GRID:
        default = len(planned)
    else:
        default = NUM_TRIALS if budget == Budget() or pruner is Pruner.PBT else OPEN_ENDED
    return {
        "space": space,
        "sampler": sampler,
        "budget": budget,
        "num_trials": trials or default,
        "enqueued": enqueued,
        "paper_first": paper_first,
        "warm_start": tuple(warm_start or ()),
        "objectives": tuple(objectives or [AT_ANY_BETA if beta == BetaMode.EXACT else OBJECTIVE]),
        "beta": beta,
    }
