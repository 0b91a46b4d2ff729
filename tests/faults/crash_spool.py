"""A sweep's events on their way to MLflow: from the spool on disk over HTTP, each once."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from fault_matrix import Told
from mlflow import MlflowClient

from orchestration.settings import read_settings
from orchestration.tracking import Status, Tag, Tracker, num_spooled
from orchestration.tracking.lane import Pace

NUM_EPOCHS = 3
_PACE = Pace(gather_s=0.0, first_retry_s=0.02, last_retry_s=0.1)


class Spooling:
    """Two runs, nested, with metrics and a file; ``uri`` is of a real MLflow server."""

    name = "spool"

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self.port = urlsplit(uri).port or 0

    def prepare(self, folder: Path) -> None:
        (folder / "figure.txt").write_text("a figure")

    def work(self, folder: Path, told: Told) -> None:
        environ = {"DRMN_HOME": str(folder), "MLFLOW_TRACKING_URI": self._uri}
        with _tracking(Tracker(read_settings(environ), folder.name, folder / "s", _PACE)) as runs:
            runs.open_run("s", "sweep", {"kind": "sweep"})
            runs.open_run("s/0", "trial", {"kind": "trial"}, "s")
            runs.log_params("s/0", {"lr": 0.1})
            if not runs.has_files("s/0", "figures"):
                runs.log_file("s/0", folder / "figure.txt", "figures")
                told("file")
            for epoch in range(1, NUM_EPOCHS + 1):
                runs.log_metrics("s/0", {"loss": 1 / epoch}, epoch)
                told(f"epoch {epoch}")
            runs.close_run("s/0", Status.PRUNED)
            runs.close_run("s", Status.FINISHED)
            told("closed")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        """What was told has arrived, or is on its way."""
        environ = {"DRMN_HOME": str(folder), "MLFLOW_TRACKING_URI": self._uri}
        Tracker(read_settings(environ), folder.name, folder / "s", _PACE).finish(15)
        if told:
            self._compare(folder, told)

    def check_end(self, folder: Path) -> None:
        assert num_spooled(folder / "s") == 0
        told = ["file", *(f"epoch {n}" for n in range(1, NUM_EPOCHS + 1)), "closed"]
        self._compare(folder, told)
        assert not list((folder / "s").rglob("refused.jsonl"))
        copies = [path for path in (folder / "s").rglob("files/*") if path.is_dir()]
        assert not copies, f"left behind: {copies}"

    def _compare(self, folder: Path, told: Sequence[str]) -> None:
        client = MlflowClient(self._uri)
        experiment = client.get_experiment_by_name(folder.name)
        assert experiment is not None
        runs = {}
        for run in client.search_runs([experiment.experiment_id]):
            assert run.data.tags[Tag.TRIAL_KEY] not in runs, "a run is there twice"
            runs[run.data.tags[Tag.TRIAL_KEY]] = run
        trial = runs["s/0"]
        assert trial.data.params == {"lr": "0.1"}
        points = client.get_metric_history(trial.info.run_id, "loss")
        steps = [point.step for point in points]
        assert len(steps) == len(set(steps)), f"an epoch is there twice: {steps}"
        lost = {f"epoch {n}" for n in range(1, NUM_EPOCHS + 1)} & set(told)
        assert lost <= {f"epoch {step}" for step in steps}, f"lost: {told}, has {steps}"
        if "file" in told:
            names = [each.path for each in client.list_artifacts(trial.info.run_id, "figures")]
            assert names == ["figures/figure.txt"], names
        if "closed" in told:
            assert [runs[key].info.status for key in ("s", "s/0")] == ["FINISHED", "KILLED"]


@contextlib.contextmanager
def _tracking(tracker: Tracker) -> Iterator[Tracker]:
    """With a short limit: what is left then waits on disk for the next driver."""
    try:
        yield tracker
    finally:
        outcome = tracker.finish(3)
        assert not outcome.num_refused, outcome.message
