"""A study in MLflow: study -> row -> seed, every run found by its key before it is created."""

from collections.abc import Mapping
from pathlib import Path

from drmn.config_tree import Scalar
from drmn.logits import Logits
from drmn.metrics import score
from orchestration.study.definition import Part, Run
from orchestration.study.files import LOGITS_FILE, TrainingResult
from orchestration.tracking import Status, Tag, Tracker


class StudyRuns:
    """The runs of one study on one data set."""

    def __init__(
        self,
        tracker: Tracker,
        study: str,
        part: Part,
        tags: Mapping[str, str],
        params: Mapping[str, Scalar],
    ) -> None:
        self._tracker = tracker
        self._study = study
        self._phase = "test" if part == "test" else "val"
        self._tags = {**tags, Tag.SWEEP: study}
        self._rows: dict[str, str] = {}
        parent_tags = {**self._tags, Tag.KIND: "study"}
        self.run_id = tracker.open_run(study, f"study {study}", parent_tags)
        tracker.log_params(self.run_id, params)

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
        key = f"{self._study}/{run.row}/{run.seed}/{run.config.hash()}"
        run_id = self._tracker.open_run(key, f"seed {run.seed}", tags, self._row(run.row))
        self._tracker.log_params(run_id, run.config.flat())
        for epoch, metrics in enumerate(result.history, start=1):
            self._tracker.log_metrics(run_id, metrics, epoch)
        phased_scores = {f"{self._phase}/{name}": value for name, value in found.items()}
        self._tracker.log_metrics(run_id, phased_scores, len(result.history))
        self._tracker.log_file(run_id, training / LOGITS_FILE)
        self._tracker.close_run(run_id, Status.FINISHED)
        return found

    def close(self, status: Status) -> str:
        """End the rows' runs and the study's; what MLflow does not have then, "" if nothing."""
        for run_id in self._rows.values():
            self._tracker.close_run(run_id, status)
        self._tracker.close_run(self.run_id, status)
        return self._tracker.finish().message

    def _row(self, row: str) -> str:
        if row not in self._rows:
            tags = {**self._tags, Tag.KIND: "row", Tag.VARIANT: row}
            key = f"{self._study}/{row}"
            self._rows[row] = self._tracker.open_run(key, row, tags, self.run_id)
        return self._rows[row]
