"""A real MLflow server that is down, killed and unreachable: nobody waits, and all arrives once."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy
from drmn_local.postgres import postgres_binaries
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from mlflow_server import MlflowServer

from orchestration.settings import read_settings
from orchestration.tracking import Status, Tag, Tracker
from orchestration.tracking.lane import Pace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

EXPERIMENT = "drmn-outages"
TRIALS = ("s/0", "s/1", "s/2")
QUICK = Pace(gather_s=0.05, first_retry_s=0.1, last_retry_s=0.5)
AT_ONCE_S = 0.5
"""Far above a line on a disk, far below the first second that a dead server costs."""


@pytest.fixture
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MlflowServer]:
    """Not started; on PostgreSQL where there is one."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    uri = _database(request.getfixturevalue("postgres")) if postgres_binaries() else None
    server = MlflowServer(tmp_path, uri)
    yield server
    server.stop()


def _database(uri: str) -> str:
    """The address of a new database of the server at ``uri``."""
    address = sqlalchemy.make_url(uri).set(drivername="postgresql+psycopg")
    name = f"mlflow_{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return address.set(database=name).render_as_string(hide_password=False)


class Training(threading.Thread):
    """Logs epoch after epoch of all trials until it is told to end; each call is timed."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__(daemon=True)
        self.tracker = tracker
        self.num_epochs = 0
        self.slowest_s = 0.0
        self.is_over = threading.Event()

    def run(self) -> None:
        self.timed(lambda: self.tracker.open_run("s", "sweep", {}))
        for trial in TRIALS:
            self.open_trial(trial)
        while not self.is_over.wait(0.03):
            self.num_epochs += 1
            for trial in TRIALS:
                values = {"loss": 1 / self.num_epochs, "acc": float(self.num_epochs)}
                epoch = self.num_epochs
                self.timed(lambda t=trial, v=values, e=epoch: self.tracker.log_metrics(t, v, e))
        for trial in TRIALS:
            self.timed(lambda t=trial: self.tracker.close_run(t, Status.PRUNED))
        self.timed(lambda: self.tracker.close_run("s", Status.FINISHED))

    def open_trial(self, key: str) -> None:
        self.timed(lambda: self.tracker.open_run(key, key, {}, "s"))
        self.timed(lambda: self.tracker.log_params(key, {"trial": key}))

    def timed(self, call: Callable[[], object]) -> None:
        started = time.monotonic()
        call()
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)

    def go_on(self, num_epochs: int) -> None:
        """Return when so many more epochs have ended."""
        last = self.num_epochs + num_epochs
        _await(lambda: self.num_epochs >= last)


def test_whatever_befalls_the_server_training_goes_on_and_all_arrives_once(
    server: MlflowServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    environment = {"DRMN_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": server.uri}
    tracker = Tracker(read_settings(environment), EXPERIMENT, tmp_path / "s", QUICK)
    training, client = Training(tracker), MlflowClient(server.uri)
    training.start()
    training.go_on(10)
    server.start()
    _await(lambda: _last_epoch(client) > 0)
    server.kill()
    training.go_on(10)
    server.start()
    training.go_on(50)  # the lane has tried again: what comes now is of another window
    before = training.num_epochs
    _await(lambda: _last_epoch(client) >= before)
    _create_twins(client)
    caplog.clear()
    server.freeze()
    training.open_trial("s/late")
    _await(lambda: "timeout" in caplog.text)
    training.timed(lambda: tracker.close_run("s/late", Status.FINISHED))
    training.go_on(10)
    server.thaw()
    training.is_over.set()
    training.join(60)
    assert tracker.finish(60).message == ""
    assert training.slowest_s < AT_ONCE_S
    _check(client, training.num_epochs)


def _create_twins(client: MlflowClient) -> None:
    """As if the creations of all runs had been asked for twice, and been done twice."""
    for run in _runs(client):
        tags = {Tag.TRIAL_KEY: run.data.tags[Tag.TRIAL_KEY]}
        client.create_run(run.info.experiment_id, run.info.start_time, tags)


def _check(client: MlflowClient, num_epochs: int) -> None:
    runs = _runs(client)
    statuses = sorted((run.data.tags[Tag.TRIAL_KEY], run.info.status) for run in runs)
    trials = [(trial, "KILLED") for trial in TRIALS]
    assert statuses == [("s", "FINISHED"), *trials, ("s/late", "FINISHED")]
    by_key = {run.data.tags[Tag.TRIAL_KEY]: run for run in runs}
    for trial in (*TRIALS, "s/late"):
        assert by_key[trial].data.tags[MLFLOW_PARENT_RUN_ID] == by_key["s"].info.run_id
        assert by_key[trial].data.params == {"trial": trial}
    expected = {"loss": lambda epoch: 1 / epoch, "acc": float}
    for trial in TRIALS:
        for name, value in expected.items():
            points = client.get_metric_history(by_key[trial].info.run_id, name)
            found = [(point.step, point.value) for point in points]
            assert found == [(epoch, value(epoch)) for epoch in range(1, num_epochs + 1)]
            times = [point.timestamp for point in points]
            assert times == sorted(times)


def _runs(client: MlflowClient) -> list[Run]:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def _last_epoch(client: MlflowClient) -> float:
    """The last that has arrived of every trial."""
    epochs = [run.data.metrics.get("acc", 0.0) for run in _runs(client) if run.data.params]
    return min(epochs, default=0.0)


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
