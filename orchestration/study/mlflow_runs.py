"""A study in MLflow: study -> row -> seed, every run found by its key before it is created.

A row's run has the row's settings and means over its seeds, so that rows can be compared there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drmn.logits import Logits
from drmn.metrics import score
from drmn.names import Phase, phased
from orchestration.notes.of_studies import row_note, seed_note, study_note
from orchestration.seed_means import shown_means
from orchestration.study.definition import Run, Study
from orchestration.study.files import LOGITS_FILE, StudyFolder, StudyRecord, TrainingResult
from orchestration.tracking import DataInput, Status, Tag, Tracker

RowScores = dict[str, dict[int, dict[str, float]]]
"""Scores of each row's seeds."""


@dataclass(frozen=True, kw_only=True)
class StudyOrigin:
    """What a study's runs on one data set share.

    ``tags`` are every run's, ``own_tags`` the study's own alone.
    """

    name: str
    study: Study
    dataset: str
    protocol: str
    data: DataInput
    tags: Mapping[str, str]
    own_tags: Mapping[str, str]


class StudyRuns:
    """The runs of one study on one data set.

    Args:
        record: of the study.
        scores: what is known already, see :func:`known_scores`.
    """

    def __init__(
        self, tracker: Tracker, origin: StudyOrigin, record: StudyRecord, scores: RowScores
    ) -> None:
        self.tracker = tracker
        self._origin = origin
        self._phase: Phase = "test" if origin.study.part == "test" else "val"
        self._tags = {**origin.tags, Tag.SWEEP: origin.name}
        self._scores = scores
        self._rows: dict[str, str] = {}
        own_tags = {**self._tags, **origin.own_tags, Tag.KIND: "study"}
        self.run_id = self._open(origin.name, f"study {origin.name}", own_tags, None)
        tracker.log_params(self.run_id, record.bases[origin.dataset])
        self._describe_study()

    def log_seed(self, run: Run, result: TrainingResult, training: Path) -> dict[str, float]:
        """One row's seed: parameters, losses, scores and logits; returns the scores."""
        found = score(Logits.load(training / LOGITS_FILE), run.config.inference)
        tags = {
            **self._tags,
            **result.tags,
            Tag.KIND: "seed",
            Tag.VARIANT: run.row,
            Tag.SEED: str(run.seed),
            Tag.CONFIG_HASH: run.config.hash(),
        }
        key = f"{self._origin.name}/{run.row}/{run.seed}/{run.config.hash()}"
        name, parent = f"{run.row}, seed {run.seed}", self.open_row(run.row)
        run_id = self._open(key, name, tags, parent, ago_s=result.duration_s)
        self.tracker.log_params(run_id, run.config.flat())
        for epoch, metrics in enumerate(result.history, start=1):
            self.tracker.log_metrics(run_id, metrics, epoch)
        phased_scores = {phased(self._phase, name): value for name, value in found.items()}
        self.tracker.log_metrics(run_id, phased_scores, len(result.history))
        self.tracker.log_file(run_id, training / LOGITS_FILE)
        said = seed_note(run.row, run.seed, self._origin.protocol, found)
        self.tracker.describe(run_id, said)
        self.tracker.close_run(run_id, Status.FINISHED)
        self._scores.setdefault(run.row, {})[run.seed] = found
        self._show(run)
        return found

    def go_on(self, run: Run) -> None:
        """The row of a seed that was logged before is open again, and shows what is known."""
        if run.row not in self._rows:
            self.open_row(run.row)
            self._show(run)

    def close(self, status: Status) -> str:
        """End the rows' runs and the study's; what MLflow does not have then, "" if nothing."""
        for run_id in self._rows.values():
            self.tracker.close_run(run_id, status)
        self.tracker.close_run(self.run_id, status)
        return self.tracker.finish().message

    def open_row(self, row: str) -> str:
        """The key of a row's run, which is RUNNING after."""
        if row not in self._rows:
            tags = {**self._tags, Tag.KIND: "row", Tag.VARIANT: row}
            self._rows[row] = self._open(f"{self._origin.name}/{row}", row, tags, self.run_id)
        return self._rows[row]

    def _open(
        self, key: str, name: str, tags: Mapping[str, str], parent: str | None, ago_s: float = 0.0
    ) -> str:
        run_id = self.tracker.open_run(key, name, tags, parent, ago_s)
        self.tracker.log_dataset(run_id, self._origin.data)
        return run_id

    def _show(self, run: Run) -> None:
        """The row's settings, which a search may have had to find, its means, and all tables."""
        run_id, scores = self._rows[run.row], self._scores[run.row]
        settings = {path: v for path, v in run.config.flat().items() if path != "training.seed"}
        self.tracker.log_params(run_id, settings)
        self.tracker.show_metrics(run_id, shown_means(scores, self._phase), len(scores))
        said = row_note(self._origin.study, run.row, self._origin.protocol, scores)
        self.tracker.describe(run_id, said)
        self._describe_study()

    def _describe_study(self) -> None:
        origin = self._origin
        said = study_note(origin.name, origin.dataset, origin.study, origin.protocol, self._scores)
        self.tracker.describe(self.run_id, said)


def known_scores(folder: StudyFolder, record: StudyRecord, dataset: str) -> RowScores:
    """Of every training on ``dataset`` that is done."""
    found: RowScores = {}
    for run in record.runs():
        key = run.training_key(record.splits[run.dataset])
        if run.dataset == dataset and folder.is_done(key):
            scores = score(folder.logits(key), run.config.inference)
            found.setdefault(run.row, {})[run.seed] = scores
    return found
