"""A study's numbers, computed from its saved logits; fractions.

Letters: n seeds, K classes of the split, U its unseen classes, S its seen ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from drmn.config import Config
from drmn.errors import ConfigError
from drmn.inference import czsl_predict, gzsl_predict
from drmn.logits import Logits
from drmn.metrics import class_accuracies, score
from drmn.names import CZSL_TOP1, GZSL_HARMONIC
from orchestration.study.definition import Comparison, Run
from orchestration.study.files import StudyFolder, StudyRecord, TrainingResult
from orchestration.study.statistics import (
    Interval,
    PairedTest,
    bootstrap_harmonic,
    bootstrap_interval,
    compare,
    holm,
    t_interval,
)

COMPARED = (GZSL_HARMONIC, CZSL_TOP1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Seed:
    """One run: its scores, accuracy of every class, and where its files are."""

    run: Run
    key: str
    result: TrainingResult
    logits: Logits
    scores: Mapping[str, float]
    by_class: Float[np.ndarray, " K"]
    """Per-class accuracy of Algorithm 1."""
    czsl_by_class: Float[np.ndarray, " U"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """A row on a data set over its seeds."""

    dataset: str
    row: str
    seeds: dict[int, Seed]

    def values(self, metric: str, seeds: list[int] | None = None) -> Float[np.ndarray, " n"]:
        """One value per seed."""
        chosen = sorted(self.seeds) if seeds is None else seeds
        return np.array([self.seeds[seed].scores[metric] for seed in chosen])

    def interval(self, metric: str) -> Interval:
        return t_interval(self.values(metric))

    def by_class(self, seeds: list[int]) -> Float[np.ndarray, "n K"]:
        return np.stack([self.seeds[seed].by_class for seed in seeds])

    def czsl_by_class(self, seeds: list[int]) -> Float[np.ndarray, "n U"]:
        return np.stack([self.seeds[seed].czsl_by_class for seed in seeds])

    @property
    def first(self) -> Seed:
        return self.seeds[min(self.seeds)]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One comparison by one metric; ``p_holm`` is corrected over the data set's table."""

    dataset: str
    comparison: Comparison
    metric: str
    test: PairedTest
    bootstrap: Interval
    p_holm: float

    @property
    def identical(self) -> bool:
        """Whether every one of several seeds gives both rows the very same value."""
        interval = self.test.difference
        return interval.low == interval.high == 0

    @property
    def verdict(self) -> str:
        """What the t interval of the difference says."""
        interval = self.test.difference
        if self.test.num_seeds < 2:
            return "one seed"
        if self.identical:
            return "identical"
        if interval.low > 0:
            return "helps"
        return "harms" if interval.high < 0 else "not shown"


@dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """All cells of a study that have a run, and the comparisons between them."""

    name: str
    record: StudyRecord
    cells: dict[tuple[str, str], Cell]
    compared: list[Compared]

    def rows(self, dataset: str) -> list[Cell]:
        """The cells of a data set in the study's order."""
        keys = [(dataset, row.name) for row in self.record.study.rows]
        return [self.cells[key] for key in keys if key in self.cells]

    def comparisons(self, dataset: str, metric: str) -> list[Compared]:
        return [c for c in self.compared if (c.dataset, c.metric) == (dataset, metric)]


def load_results(folder: StudyFolder) -> Results:
    """Read a study.

    Raises:
        ConfigError: there is no study, or none of its trainings is done.
        DataError: saved logits are damaged.
    """
    record = folder.record()
    cells: dict[tuple[str, str], Cell] = {}
    for run in record.runs():
        key = run.training_key(record.splits[run.dataset])
        if folder.is_done(key):
            empty = Cell(dataset=run.dataset, row=run.row, seeds={})
            cell = cells.setdefault((run.dataset, run.row), empty)
            cell.seeds[run.seed] = _seed(folder, key, run)
    if not cells:
        raise ConfigError(
            f"the study at {folder.path} has 0 results, but a report needs at least 1",
            "run `drmn ablate` as its study.json says under `commands`",
        )
    compared = [
        each
        for dataset in record.bases
        for metric in COMPARED
        for each in _compared(record, cells, dataset, metric)
    ]
    return Results(name=folder.path.name, record=record, cells=cells, compared=compared)


def _seed(folder: StudyFolder, key: str, run: Run) -> Seed:
    logits, config = folder.logits(key), Config.from_flat(run.config.flat())
    predictions = gzsl_predict(logits.o, logits.g, logits.seen, config.inference)
    unseen = ~logits.seen[logits.labels]
    czsl = czsl_predict(logits.o[unseen], logits.seen)
    num_classes = len(logits.seen)
    return Seed(
        run=run,
        key=key,
        result=folder.result(key),
        logits=logits,
        scores=score(logits, config.inference),
        by_class=class_accuracies(predictions, logits.labels, num_classes).numpy(),
        czsl_by_class=class_accuracies(czsl, logits.labels[unseen], num_classes).numpy()[
            ~logits.seen.numpy()
        ],
    )


def _compared(
    record: StudyRecord, cells: Mapping[tuple[str, str], Cell], dataset: str, metric: str
) -> list[Compared]:
    found: list[tuple[Comparison, PairedTest, Interval]] = []
    for pair in record.study.pairs:
        without, with_it = cells.get((dataset, pair.without)), cells.get((dataset, pair.with_it))
        if without is None or with_it is None:
            continue
        seeds = sorted(without.seeds.keys() & with_it.seeds.keys())
        if seeds:
            test = compare(without.values(metric, seeds), with_it.values(metric, seeds))
            found.append((pair, test, _bootstrap(without, with_it, seeds, metric)))
    corrected = holm([test.p_value for _, test, _ in found])
    return [
        Compared(
            dataset=dataset,
            comparison=pair,
            metric=metric,
            test=test,
            bootstrap=bootstrap,
            p_holm=p_holm,
        )
        for (pair, test, bootstrap), p_holm in zip(found, corrected, strict=True)
    ]


def _bootstrap(without: Cell, with_it: Cell, seeds: list[int], metric: str) -> Interval:
    """Of the difference, over seeds and classes."""
    if metric == CZSL_TOP1:
        return bootstrap_interval(with_it.czsl_by_class(seeds) - without.czsl_by_class(seeds))
    seen = without.first.logits.seen.numpy()
    rows = np.stack([without.by_class(seeds), with_it.by_class(seeds)])
    return bootstrap_harmonic(rows[:, :, ~seen], rows[:, :, seen])
