"""Sweeps of ours, as the command line runs them, less the final run on test: epochs in order."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from progress_lines import ProgressLines
from random_trainings import Recipe
from reaching import Epoch
from rich.console import Console

from orchestration.events import Fate
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.objective import AT_ANY_BETA
from orchestration.request import BetaMode, SweepRequest
from orchestration.searching import SearchParts, search
from orchestration.settings import Settings
from orchestration.trainable import TrialContext
from search_spaces.paper import BETA


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to search; everything that is not said here is the sweep's default."""

    name: str
    beta: BetaMode = BetaMode.SEARCH
    paper_first: bool = True


ARMS = (
    Arm(name="ours"),
    Arm(name="ours, preset not tried first", paper_first=False),
    Arm(name="ours, exact beta", beta=BetaMode.EXACT),
)


class _CountedLedger(Ledger):
    """Says how far the sweep is."""

    progress: ProgressLines

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        super().ended(trial, fate, epoch, reason)
        self.progress.one_more(f"trial {trial} {fate.value} after epoch {epoch} {reason}")


def sweep_request(recipe: Recipe, arm: Arm, seed: int, num_trials: int, jobs: int) -> SweepRequest:
    """TPE and ASHA at their defaults; seeds differ in what is tried, not in the weights drawn."""
    exact = arm.beta == BetaMode.EXACT
    given: dict[str, Any] = {"objectives": (AT_ANY_BETA,)} if exact else {}
    names = arm.name.replace(",", "").split()
    return SweepRequest(
        name=f"{'-'.join(names)}-{recipe.config.hash()}-{num_trials}-{seed}",
        variant="+ensemble",
        config=recipe.config,
        space={p: d for p, d in recipe.space.items() if not (exact and p == BETA)},
        data_root=recipe.data_root,
        num_trials=num_trials,
        max_concurrent=jobs,
        seed=seed,
        beta=arm.beta,
        paper_first=arm.paper_first,
        **given,
    )


def searched(request: SweepRequest, recipe: Recipe, settings: Settings) -> list[Epoch]:
    """Every epoch of the sweep in the order they ended, run or resumed where that is needed."""
    folder = settings.sweep_folder(request.name)
    ledger = _CountedLedger(folder / LEDGER_FILE)
    num_left = request.num_trials - len(ledger.fates())
    ledger.progress = ProgressLines(request.name, num_left)
    if num_left:
        with (folder / "log.txt").open("a") as log:
            search(request, settings, Console(file=log), _parts(request, recipe, settings, ledger))
        _drop_checkpoints(request, settings)
    _check_none_failed(ledger.fates())
    return [(trial, metrics[request.objective]) for trial, _, metrics in ledger.epochs()]


def _parts(
    request: SweepRequest, recipe: Recipe, settings: Settings, ledger: Ledger
) -> SearchParts:
    context = TrialContext(
        config=request.config.flat(),
        data_root=str(recipe.data_root),
        features=recipe.features,
        num_threads=1,
    )
    folder = settings.sweep_folder(request.name)
    return SearchParts(folder=folder, ledger=ledger, context=context, logger=None)


def _drop_checkpoints(request: SweepRequest, settings: Settings) -> None:
    """The epochs' scores are all that is wanted of a finished sweep."""
    for folder in (settings.home / "ray").glob(f"{request.name}-*"):
        shutil.rmtree(folder)


def _check_none_failed(fates: Mapping[str, Fate]) -> None:
    failed = sorted(trial for trial, fate in fates.items() if fate is Fate.FAILED)
    if failed:
        raise SystemExit(f"trials {', '.join(failed)} failed: see their reasons in the ledger")
