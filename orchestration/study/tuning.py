"""The same search for every row, on validation, before its seeds run: a fair ablation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rich.console import Console

from drmn.config import Config, InferenceConfig
from drmn.config_tree import Scalar
from drmn.names import BETA_EXACT, OBJECTIVE, phased
from drmn.variants import Variant
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning_rule import PruningRule
from orchestration.request import SweepRequest
from orchestration.searching import SearchParts, search
from orchestration.settings import Settings
from orchestration.study.request import StudyRequest
from orchestration.study.search_runs import SearchRuns
from orchestration.trainable import TrialContext
from search_spaces.registry import search_space

Tuned = Mapping[str, dict[str, Scalar]]
"""What a search found, for ``dataset/row``."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one search found, for every row that shares it."""

    search: str
    rows: list[str]
    overrides: dict[str, Scalar]


def tune_rows(
    request: StudyRequest,
    settings: Settings,
    console: Console,
    base: Config,
    features: str | None,
    tuned: Tuned,
    runs: SearchRuns,
) -> Iterator[Found]:
    """What each search found, as it ends; rows that share a training share its search."""
    dataset = base.data.dataset
    for rows in rows_by_training(base, request.study.rows):
        names = [f"{dataset}/{row.name}" for row in rows]
        wanted = request.rows is None or any(row.name in request.rows for row in rows)
        if wanted and any(name not in tuned for name in names):
            config = rows[-1].apply(base)
            sweep = _sweep(request, config, rows[-1])
            found = _search(sweep, settings, console, features, runs)
            yield Found(search=sweep.name, rows=names, overrides=found)


def rows_by_training(base: Config, rows: tuple[Variant, ...]) -> list[list[Variant]]:
    """Rows grouped by their training, the one with most of inference switched on last."""
    groups: dict[str, list[Variant]] = {}
    for row in rows:
        trained = replace(row.apply(base), inference=InferenceConfig())
        groups.setdefault(trained.hash(), []).append(row)
    return [
        sorted(group, key=lambda row: row.apply(base).inference.ensemble)
        for group in groups.values()
    ]


def _search(
    sweep: SweepRequest,
    settings: Settings,
    console: Console,
    features: str | None,
    runs: SearchRuns,
) -> dict[str, Scalar]:
    """The best trial's settings, with its best epoch and the exact beta found there."""
    folder = settings.sweep_folder(sweep.name)
    ledger = Ledger(folder / LEDGER_FILE)
    console.print(f"{sweep.name}: {sweep.num_trials} trials", markup=False)
    context = TrialContext(
        config=sweep.config.flat(),
        data_root=str(sweep.data_root),
        features=features,
        num_threads=max(1, int(sweep.resources.cpus)),
        on_gpu=sweep.resources.gpus > 0,
    )
    with runs.logged(sweep, ledger) as logger:
        parts = SearchParts(folder=folder, ledger=ledger, context=context, logger=logger)
        search(sweep, settings, console, parts)
    winner = ledger.winner(OBJECTIVE)
    beta = winner.metrics[phased("val", BETA_EXACT)]
    return {**winner.overrides, "training.epochs": winner.epoch, "inference.beta": beta}


def _sweep(request: StudyRequest, config: Config, row: Variant) -> SweepRequest:
    slug = "".join(c if c.isalnum() else "-" for c in row.name).strip("-")
    return SweepRequest(
        name=f"{request.name}-{config.data.dataset}-{slug}-{config.hash()}",
        variant=row.name,
        config=config,
        space=search_space(config.data.dataset),
        data_root=request.data_root,
        features=request.features,
        num_trials=request.tune_each,
        max_concurrent=request.max_concurrent,
        resources=request.resources,
        pruning=PruningRule(grace_period=min(2, config.training.epochs)),
    )
