"""The searches of a study's rows in MLflow: study -> row -> search -> trial."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from drmn.data.dataset import Dataset
from orchestration.ledger import Ledger
from orchestration.request import SweepRequest
from orchestration.study.mlflow_runs import StudyRuns
from orchestration.sweep_run import nested_search, open_sweep_run
from orchestration.tracking import Status
from orchestration.trial_logging import TrialLogger


class SearchRuns:
    """Of one study on one data set; the study's runs are opened when the first search begins.

    Args:
        features: folder of the feature store; None: levels are computed live.
    """

    def __init__(
        self, open_runs: Callable[[], StudyRuns], dataset: Dataset, features: str | None
    ) -> None:
        self._open_runs = open_runs
        self._dataset = dataset
        self._features = features
        self._runs: StudyRuns | None = None

    @contextmanager
    def logged(self, request: SweepRequest, ledger: Ledger) -> Iterator[TrialLogger]:
        """Where the trials of one search go, below the run of the row that ``request`` searches."""
        if self._runs is None:
            self._runs = self._open_runs()
        tracker, row = self._runs.tracker, self._runs.open_row(request.variant)
        run = open_sweep_run(tracker, request, self._dataset, self._features, row)
        with nested_search(tracker, request, ledger, run) as logger:
            yield logger

    def close(self, status: Status) -> str:
        """End the runs that are open; what MLflow does not have then, "" if nothing."""
        return "" if self._runs is None else self._runs.close(status)
