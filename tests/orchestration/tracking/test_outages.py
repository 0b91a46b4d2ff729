"""A real MLflow server that is down, killed and unreachable: nobody waits, and all arrives once."""

import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy
import typer
from drmn_local.postgres import postgres_binaries
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from mlflow_server import MlflowServer
from study_files import fake_record

from orchestration.cli_reconcile import reconcile_runs
from orchestration.repair.studies import reconcile_study
from orchestration.settings import Settings, read_settings
from orchestration.study.catalogue import known_study
from orchestration.study.files import StudyFolder
from orchestration.study.publishing import experiment
from orchestration.tracking import Status, Tag, Tracker, TrackingError
from orchestration.tracking.lane import Pace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]

EXPERIMENT = "drmn-outages"
TRIALS = ("s/0", "s/1", "s/2")
QUICK = Pace(gather_s=0.05, first_retry_s=0.1, last_retry_s=0.5)
TIMEOUT_S = 2
"""Of a request: whoever waited for the frozen server would wait so long."""


@pytest.fixture(scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MlflowServer]:
    """Not started; on PostgreSQL where there is one."""
    uri = _database(request.getfixturevalue("postgres")) if postgres_binaries() else None
    server = MlflowServer(tmp_path_factory.mktemp("server"), uri)
    yield server
    server.stop()


@pytest.fixture
def settings(server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT_S))
    monkeypatch.setenv("DRMN_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    return read_settings()


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
        self.calls_s: list[float] = []
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
        self.calls_s.append(time.monotonic() - started)

    def go_on(self, num_epochs: int) -> None:
        """Return when so many more epochs have ended."""
        last = self.num_epochs + num_epochs
        _await(lambda: self.num_epochs >= last)


def test_whatever_befalls_the_server_training_goes_on_and_all_arrives_once(
    server: MlflowServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = Tracker(settings, EXPERIMENT, settings.home / "s", QUICK)
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
    assert max(training.calls_s) < TIMEOUT_S
    assert statistics.median(training.calls_s) < 0.01
    _check(client, training.num_epochs)


DRIVER = """
import sys, time
from orchestration.settings import read_settings
from orchestration.study.publishing import experiment
from orchestration.tracking import Status, Tracker
from orchestration.tracking.lane import Pace

settings = read_settings()
folder = settings.study_folder("table")
tracker = Tracker(settings, experiment("cub"), folder)
tracker.open_run("table", "study table", {})
tracker.open_run("table/row", "row", {}, "table")
assert tracker.finish().message == ""
tracker = Tracker(settings, experiment("cub"), folder, Pace(gather_s=3600))
tracker.log_metrics("table", {"acc": 0.5}, 1)
tracker.open_run("table/row/0", "seed 0", {}, "table/row")
tracker.close_run("table/row/0", Status.FINISHED)
print("ready", flush=True)
time.sleep(600)
"""


def test_nothing_is_left_running_after_a_killed_driver_and_a_reconciliation(
    server: MlflowServer, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    server.ensure_started()
    record = fake_record(known_study("gamma"), [0])
    StudyFolder(settings.study_folder("table")).write_record(record)
    command = [sys.executable, "-c", DRIVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "ready\n"
        with pytest.raises(TrackingError, match="is being run by another process"):
            reconcile_study("table", settings, dry_run=False)
        driver.kill()
    for exit_code, said in ((1, "3 events unsent"), (0, "study table: nothing differs")):
        with pytest.raises(typer.Exit) as ended:
            reconcile_runs("table")
        assert ended.value.exit_code == exit_code
        assert said in capsys.readouterr().out
    runs = _runs(MlflowClient(server.uri), experiment("cub"))
    statuses = sorted((run.data.tags[Tag.TRIAL_KEY], run.info.status) for run in runs)
    expected = [("table", "KILLED"), ("table/row", "KILLED"), ("table/row/0", "FINISHED")]
    assert statuses == expected


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


def _runs(client: MlflowClient, name: str = EXPERIMENT) -> list[Run]:
    found = client.get_experiment_by_name(name)
    return list(client.search_runs([found.experiment_id])) if found else []


def _last_epoch(client: MlflowClient) -> float:
    """The last that has arrived of every trial."""
    epochs = [run.data.metrics.get("acc", 0.0) for run in _runs(client) if run.data.params]
    return min(epochs, default=0.0)


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
