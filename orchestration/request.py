"""What a user asked a sweep for, validated before anything starts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from drmn.names import OBJECTIVE
from orchestration.objective import AT_ANY_BETA, checked_objectives, needs_beta
from orchestration.population_rules import check_population
from orchestration.pruning_rule import Pruner, PruningRule
from orchestration.retention_rule import Retention
from orchestration.sampling import (
    SamplerName,
    SamplerRule,
    check_word,
    planned_trials,
)
from orchestration.stopping.budget import OPEN_ENDED, Budget
from search_spaces.domain import SearchSpace
from search_spaces.paper import BETA

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one trial holds while it runs; GPUs may be fractions."""

    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        for name, value, low in (("cpus", self.cpus, 0.0), ("gpus", self.gpus, -1e-9)):
            if not value > low:
                raise ConfigError(
                    f"the value of `{name}` per trial is {value!r}, but must be "
                    + ("> 0" if name == "cpus" else ">= 0")
                )
        if self.gpus > 1:
            raise ConfigError(
                f"the value of `gpus` per trial is {self.gpus!r}, but must be <= 1: a trial of a "
                "sweep uses one device",
                "share a batch among several GPUs with `drmn train --devices N`",
            )


class BetaMode(StrEnum):
    """Whether trials are spent on beta, or each is scored at its exact best."""

    SEARCH = "search"
    EXACT = "exact"


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """One sweep: what is searched, over which recipe, on which data, at what cost."""

    name: str
    identity: str = ""
    """Random, so that sweeps of one name on shared servers stay apart; "" is allowed."""
    variant: str
    config: Config
    space: SearchSpace
    data_root: Path
    num_trials: int = 16
    max_concurrent: int | None = None
    resources: Resources = Resources()
    pruning: PruningRule = field(default_factory=PruningRule)
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    final_seeds: int = 5
    """How many times the winner is trained on trainval, each time evaluated on test once."""
    paper_final: bool = True
    """Whether the preset's own values get the same final runs, to stand beside the winner's."""
    measure_gpus: bool = False
    """Whether ``resources.gpus`` comes from a calibration before the first trial."""
    objectives: tuple[str, ...] = (OBJECTIVE,)
    """One metric; two for a Pareto front."""
    beta: BetaMode = BetaMode.SEARCH
    """With EXACT the space is without beta."""
    sampler: SamplerRule = field(default_factory=SamplerRule)
    enqueued: tuple[Mapping[str, Scalar], ...] = ()
    """Configurations to try first, by path of the space."""
    paper_first: bool = True
    """Whether the very first trial has the preset's own values."""
    warm_start: tuple[str, ...] = ()
    """Earlier sweeps whose trials the sampler is told of."""
    features: str | None = None
    """A published store's place; None: features are extracted."""
    keep_checkpoints: Retention = Retention.BEST_AND_LAST
    """Of each trial."""
    split_hash: str = ""
    """Of the images that choose, once they were looked at."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"the sweep's name is {self.name!r}, but must be letters, digits, '.', '_', '-' "
                "and '+', and begin with a letter or digit"
            )
        if self.num_trials < 1:
            raise ConfigError(f"the value of `trials` is {self.num_trials!r}, but must be >= 1")
        if self.final_seeds < 1:
            raise ConfigError(
                f"the value of `final_seeds` is {self.final_seeds!r}, but must be >= 1"
            )
        if self.budget.gpu_h is not None and not (self.resources.gpus or self.measure_gpus):
            raise ConfigError(
                f"the budget is {self.budget.gpu_h:g} GPU-h, but the trials reserve no GPU",
                "limit the wall time, as with --budget 8h, or give --gpus-per-trial",
            )
        epochs = self.config.training.epochs
        if self.pruning.pruner is not Pruner.NONE and self.pruning.grace_period > epochs:
            raise ConfigError(
                f"the value of `grace_period` is {self.pruning.grace_period}, but must be <= "
                f"training.epochs, which is {epochs}"
            )
        checked_objectives(self.objectives)
        if self.has_front and self.pruning.pruner != Pruner.NONE:
            raise ConfigError(
                f"the pruner is {self.pruning.pruner!s}, but must be none with two objectives: no "
                "value after a few epochs says which trial is behind",
                "leave --pruner out, or give one --objective",
            )
        self._check_beta()
        self._check_first_trials()
        if self.pruning.pruner is Pruner.PBT:
            check_population(self.num_trials, self.sampler.name, self.space)

    def _check_beta(self) -> None:
        check_word("beta", self.beta, tuple(BetaMode))
        if self.beta == BetaMode.SEARCH:
            return
        if BETA in self.space:
            raise ConfigError(f"`beta` is 'exact', but {BETA} is in the space")
        for objective in filter(needs_beta, self.objectives):
            raise ConfigError(
                f"`beta` is 'exact', but the objective {objective} depends on {BETA}",
                f"use --objective {AT_ANY_BETA}, or --beta search",
            )

    def _check_first_trials(self) -> None:
        for number, values in enumerate(self.enqueued, start=1):
            for path, value in values.items():
                if path not in self.space or not self.space[path].contains(value):
                    raise ConfigError(
                        f"enqueued trial {number} has {path}={value!r}, but the space is "
                        + str(self.space.get(path, f"of {', '.join(self.space)}"))
                    )
        planned, is_whole = len(self.planned_trials()), self.sampler.name == SamplerName.GRID
        if self.num_trials < planned or (is_whole and self.num_trials > planned):
            raise ConfigError(
                f"the value of `trials` is {self.num_trials}, but must be "
                f"{'' if is_whole else '>= '}{planned}: "
                + ("the grid with" if is_whole else "as many as")
                + " what is tried first",
                "leave --trials out" if is_whole else "raise --trials, or enqueue fewer",
            )

    @property
    def shown_trials(self) -> str:
        """How many, in words."""
        is_open = self.num_trials == OPEN_ENDED
        return "as many trials as the budget lets" if is_open else f"{self.num_trials} trials"

    @property
    def objective(self) -> str:
        """The metric that decides; the first of two."""
        return self.objectives[0]

    @property
    def has_front(self) -> bool:
        """Whether two objectives decide."""
        return len(self.objectives) > 1

    @property
    def key(self) -> str:
        """What the sweep is called on shared servers: study name, root of the trial keys."""
        return f"{self.name}-{self.identity}" if self.identity else self.name

    @property
    def retention(self) -> Retention:
        """Which checkpoints stay: with population-based training all, to be taken over."""
        is_population = self.pruning.pruner == Pruner.PBT
        return Retention.ALL if is_population else self.keep_checkpoints

    @property
    def is_best_on_test(self) -> bool:
        """Whether choices are made on test images: such results are labelled and kept apart."""
        return self.config.validation.protocol == "best-on-test"

    def planned_trials(self) -> list[Mapping[str, Scalar]]:
        """What is tried before the sampler has its say; with the grid, everything.

        The preset's own values, then what was enqueued, then the grid; each once.
        """
        return planned_trials(
            self.config,
            self.space,
            self.sampler,
            enqueued=self.enqueued,
            paper_first=self.paper_first,
        )
