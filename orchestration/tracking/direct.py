"""The same runs without a spool: for whoever compares MLflow with other books and mends it."""

import time
from collections.abc import Mapping

from drmn.config_tree import Scalar
from orchestration.settings import Settings
from orchestration.tracking.delivery import MAX_ENTRIES, MAX_PARAMS
from orchestration.tracking.names import DataInput, MlflowTag, Status
from orchestration.tracking.records import RunRecord
from orchestration.tracking.server import Batch, Server


class DirectTracker:
    """One experiment; runs go by MLflow's ids, and every call waits for the server.

    Raises:
        TrackingError: the server refuses, or does not answer.
    """

    def __init__(self, settings: Settings, experiment: str) -> None:
        self._server = Server(settings, experiment)
        self._server.connect()

    def open_run(
        self, key: str, name: str, tags: Mapping[str, str], parent: str | None = None
    ) -> str:
        """The id of the run with this trial key, created if there is none; it is RUNNING after."""
        found = self._server.find(key)
        if found is None:
            return self._server.create(key, name, tags, parent or "", _now_ms())
        self._server.set_running(found.run_id)
        return found.run_id

    def log_params(self, run_id: str, params: Mapping[str, Scalar]) -> None:
        """Flattened configuration by dotted path."""
        entries = [(key, str(value)) for key, value in params.items()]
        for start in range(0, len(entries), MAX_PARAMS):
            self._server.log(run_id, Batch(params=dict(entries[start : start + MAX_PARAMS])))

    def log_dataset(self, run_id: str, data: DataInput) -> None:
        """A data set as the run's input; one that it has already is not doubled."""
        self._server.log_dataset(run_id, data.fields, data.context)

    def describe(self, run_id: str, markdown: str) -> None:
        """The run's description, as the UI shows it."""
        self._server.log(run_id, Batch(tags={MlflowTag.DESCRIPTION: markdown}))

    def log_epochs(self, run_id: str, epochs: Mapping[int, Mapping[str, float]]) -> None:
        """Metrics by epoch, in as few batches as MLflow allows."""
        now_ms = _now_ms()
        points = [
            (key, float(value), now_ms, step)
            for step, metrics in epochs.items()
            for key, value in metrics.items()
        ]
        for start in range(0, len(points), MAX_ENTRIES):
            self._server.log(run_id, Batch(metrics=points[start : start + MAX_ENTRIES]))

    def close_run(self, run_id: str, status: Status) -> None:
        """Set the final status."""
        self._server.close(run_id, status.value, _now_ms())

    def delete_twins(self, key: str) -> None:
        """Leave one run with this trial key: the others, if they are empty, are deleted."""
        self._server.find(key)

    def steps(self, run_id: str, metric: str) -> set[int]:
        """All steps of ``metric`` in a run."""
        return self._server.steps(run_id, metric)

    def runs_of(self, key: str) -> dict[str, RunRecord]:
        """The run with this trial key and those whose key is below it, by trial key."""
        return self._server.runs_below(key)


def _now_ms() -> int:
    return int(time.time() * 1000)
