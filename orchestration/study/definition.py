"""What a study is: rows of overrides, which of them are compared, and on which images.

Two runs whose configurations differ in ``inference`` alone share one training: its logits are put
through Algorithm 1 once per row.
"""

from dataclasses import dataclass, replace
from typing import Literal

from drmn.config import Config, InferenceConfig
from drmn.config_tree import Scalar
from drmn.data.dataset import digest
from drmn.errors import ConfigError
from drmn.variants import Variant

Part = Literal["test", "validation"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Does ``part`` help? The difference of row ``with_it`` minus row ``without``."""

    part: str
    without: str
    with_it: str


@dataclass(frozen=True, kw_only=True)
class Study:
    """Rows over one recipe.

    Args:
        name: by default also the name of its folder.
        rows: distinct names; the first is the one that others are measured against.
        comparisons: pairs of rows; empty: each row with the first.
        part: "test" trains on trainval and reads the test images once per training; "validation"
            never touches them (for rows of which one may later choose).
        swept: the one setting by whose values the rows differ, for a curve; None: a table.
    """

    name: str
    rows: tuple[Variant, ...]
    comparisons: tuple[Comparison, ...] = ()
    part: Part = "test"
    swept: str | None = None

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        if not names:
            raise ConfigError(f"the study {self.name!r} has no rows, but must have >= 1")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(f"the study {self.name!r} names rows twice: {', '.join(twice)}")
        if self.part not in ("test", "validation"):
            raise ConfigError(f"the study's part is {self.part!r}, but must be test or validation")
        for pair in self.comparisons:
            for name in (pair.without, pair.with_it):
                self.row(name)

    def row(self, name: str) -> Variant:
        """The row called ``name``.

        Raises:
            ConfigError: there is none; the message lists them.
        """
        for row in self.rows:
            if row.name == name:
                return row
        known = ", ".join(row.name for row in self.rows)
        raise ConfigError(f"the study {self.name!r} has no row {name!r}; its rows: {known}")

    @property
    def pairs(self) -> tuple[Comparison, ...]:
        """The comparisons, those with the first row where none are given."""
        first = self.rows[0].name
        return self.comparisons or tuple(
            Comparison(part=row.name, without=first, with_it=row.name) for row in self.rows[1:]
        )


@dataclass(frozen=True, kw_only=True)
class Run:
    """One cell's seed: a row of a study on a data set with a seed."""

    dataset: str
    row: str
    seed: int
    config: Config

    def training_key(self, split_hash: str) -> str:
        """16 hex digits of all that the logits depend on; runs with one key share a training."""
        trained = replace(self.config, inference=InferenceConfig())
        return digest([trained.hash(), split_hash])


def run_of(base: Config, row: Variant, seed: int, tuned: dict[str, Scalar] | None = None) -> Run:
    """The preset, then what was tuned for the row, then the row itself; later ones win."""
    config = base.with_overrides({**(tuned or {}), **row.overrides, "training.seed": seed})
    return Run(dataset=config.data.dataset, row=row.name, seed=seed, config=config)
