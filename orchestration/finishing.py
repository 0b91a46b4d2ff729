"""From a search that has ended to the sweep's result: winner, final runs, ``result.json``."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from drmn.atomic import replacing
from drmn.config import Config
from drmn.data.dataset import Dataset
from drmn.data.splits import test_split
from drmn.names import BETA_EXACT, GZSL_HARMONIC, phased
from orchestration.events import Fate
from orchestration.final import (
    PAPER,
    WINNER,
    Contender,
    FinalResult,
    FinalScores,
    paper_config,
    winner_config,
)
from orchestration.final_logging import log_tested
from orchestration.final_runs import FinalRuns
from orchestration.ledger import Ledger, Winner
from orchestration.notes.of_sweeps import sweep_note
from orchestration.provenance.data_input import data_input
from orchestration.provenance.tags import data_tags
from orchestration.request import SweepRequest
from orchestration.tracking import Tag, Tracker
from orchestration.trainable import TrialContext
from orchestration.trial_logging import SweepRun

RESULT_FILE = "result.json"
"""Written last of all: a sweep that has it is done."""
FINAL_FOLDER = "final"


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """What a sweep found; scores are fractions."""

    name: str
    folder: Path
    winner: Winner
    objectives: tuple[str, ...]
    front: list[Winner]
    """The Pareto front of two objectives, the winner first; empty with one."""
    tested: FinalScores
    """The winner on test."""
    paper: FinalScores | None
    """The preset's own values on test, if that was wanted."""
    fates: dict[str, Fate]
    protocol: str
    """"validation", or "best-on-test" where choices were made on test images."""
    num_epochs: int
    """That trials trained."""
    comparison: str = ""
    """Planned against real; "" where nothing was planned."""
    experiment_id: str = ""
    """MLflow's; "" where it was never reached."""
    tracking_trouble: str = ""
    """What MLflow does not have; "" where it has everything."""


@dataclass(frozen=True, kw_only=True)
class Finishing:
    """The last phase of a sweep, and what it works with."""

    request: SweepRequest
    console: Console
    dataset: Dataset
    folder: Path
    ledger: Ledger
    tracker: Tracker
    parent: SweepRun
    context: Callable[[Config], TrialContext]

    def run(self) -> SweepResult:
        """Test the winner, and the preset's values beside it, on every seed; log all of it.

        Raises:
            DrmnError: no trial ended an epoch, or final runs failed.
        """
        winner = self.ledger.winner(*self.request.objectives)
        self.tracker.show_metrics(self.parent.run_id, winner.metrics, winner.epoch)
        tested = self._tested(self._contenders(winner))
        data = data_input(self.dataset, test_split(self.dataset))
        for each in tested:
            log_tested(self.tracker, self.parent, each, self._tags(), data)
        note = sweep_note(self.request, self.ledger.histories(), tested)
        self.tracker.describe(self.parent.run_id, note)
        return SweepResult(
            name=self.request.name,
            folder=self.folder,
            winner=winner,
            objectives=self.request.objectives,
            front=self.ledger.front(*self.request.objectives) if self.request.has_front else [],
            tested=tested[0],
            paper=tested[1] if self.request.paper_final else None,
            fates=self.ledger.fates(),
            protocol=self.request.config.validation.protocol,
            num_epochs=sum(each.last_epoch for each in self.ledger.histories().values()),
        )

    def _contenders(self, winner: Winner) -> list[Contender]:
        request = self.request
        configs = {
            WINNER: winner_config(
                request.config,
                winner.overrides,
                epochs=winner.epoch,
                beta=winner.metrics[phased("val", BETA_EXACT)],
            )
        }
        if request.paper_final:
            configs[PAPER] = paper_config(request.config, request.space)
        return [
            Contender(name=name, config=config, num_seeds=request.final_seeds)
            for name, config in configs.items()
        ]

    def _tested(self, contenders: list[Contender]) -> list[FinalScores]:
        runs = FinalRuns(
            folder=self.folder / FINAL_FOLDER,
            context=self.context,
            resources=self.request.resources,
            max_concurrent=self.request.max_concurrent,
        )
        with self.console.status("training on trainval, then one test evaluation per seed"):
            return runs.run(contenders, self._tell)

    def _tell(self, contender: Contender, seed: int, result: FinalResult) -> None:
        self.console.print(
            f"final  {contender.name}, seed {seed}: {contender.config.training.epochs} epochs on "
            f"trainval, test {GZSL_HARMONIC} {100 * result.scores[GZSL_HARMONIC]:.1f} %",
            highlight=False,
        )

    def _tags(self) -> dict[str, str]:
        tags = data_tags(self.dataset, test_split(self.dataset))
        if self.request.is_best_on_test:
            tags[Tag.PROTOCOL] = self.request.config.validation.protocol
        return tags


def write_result(result: SweepResult) -> None:
    """``result.json``, the last file of a sweep; ``test`` holds the winner's means."""
    contenders = [result.tested] if result.paper is None else [result.tested, result.paper]
    content = {
        "sweep": result.name,
        "protocol": result.protocol,
        "objectives": list(result.objectives),
        "winner": {"trial": result.winner.trial, "epoch": result.winner.epoch},
        "front": [_front_content(each, result.objectives) for each in result.front],
        "config": result.tested.contender.config.flat(),
        "validation": result.winner.metrics,
        "test": result.tested.means(),
        "final": {each.contender.name: _final_content(each) for each in contenders},
        "fates": {trial: fate.value for trial, fate in result.fates.items()},
    }
    with replacing(result.folder / RESULT_FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def _final_content(tested: FinalScores) -> dict[str, Any]:
    """Configuration, every seed's scores, their means and, from two seeds on, 95 % limits."""
    return {
        "config": tested.contender.config.flat(),
        "seeds": {str(seed): result.scores for seed, result in tested.results.items()},
        "mean": tested.means(),
        **tested.limits(),
    }


def _front_content(each: Winner, objectives: tuple[str, ...]) -> dict[str, Any]:
    values = {objective: each.metrics[objective] for objective in objectives}
    return {"trial": each.trial, "epoch": each.epoch, **values}
