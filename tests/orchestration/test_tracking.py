"""Runs in a real MLflow on SQLite."""

import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from drmn.config import Config
from drmn.names import LOSS_TOTAL, OBJECTIVE
from orchestration.events import Fate
from orchestration.settings import Settings, read_settings
from orchestration.tracking import Tag, Tracker, TrackingError, ui_command
from orchestration.trial_logging import SweepRun, TrialLogger

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return read_settings({"DRMN_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture(scope="module")
def tracker(settings: Settings) -> Tracker:
    return Tracker(settings, "drmn-test")


@pytest.fixture
def client(settings: Settings) -> MlflowClient:
    return MlflowClient(settings.tracking_uri)


def test_a_run_is_found_by_its_key_before_it_is_created(tracker: Tracker) -> None:
    first = tracker.open_run("k1", "one", {})
    assert tracker.open_run("k1", "one", {}) == first
    assert tracker.open_run("k2", "two", {}) != first


def test_trials_are_nested_complete_and_closed_by_fate(
    tracker: Tracker, client: MlflowClient
) -> None:
    config = Config()
    parent_id = tracker.open_run("sweep-a", "sweep a", {})
    parent = SweepRun(run_id=parent_id, sweep="sweep-a", tags={Tag.DATASET: "x"}, config=config)
    logger = TrialLogger(tracker, parent)
    fates = {"0000": Fate.COMPLETE, "0001": Fate.PRUNED, "0002": Fate.FAILED}
    for trial in fates:
        logger.started(trial, {"loss.lambda_sc": 0.5})
    for epoch in range(1, 4):
        for trial in fates:
            logger.epoch_ended(trial, epoch, {OBJECTIVE: epoch / 10, LOSS_TOTAL: 1.0, "pid": 7})
    for trial, fate in fates.items():
        logger.ended(trial, fate, 3, "loss is nan" if fate is Fate.FAILED else "")
    logger.finish()
    runs = client.search_runs(
        [tracker.experiment_id], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent_id}'"
    )
    by_key = {run.data.tags[Tag.TRIAL_KEY]: run for run in runs}
    assert sorted(by_key) == ["sweep-a/0000", "sweep-a/0001", "sweep-a/0002"]
    statuses = [by_key[key].info.status for key in sorted(by_key)]
    assert statuses == ["FINISHED", "KILLED", "FAILED"]
    run = by_key["sweep-a/0000"]
    assert run.data.params["loss.lambda_sc"] == "0.5"
    assert set(run.data.params) == set(config.flat())
    assert set(run.data.metrics) == {OBJECTIVE, LOSS_TOTAL}
    history = client.get_metric_history(run.info.run_id, OBJECTIVE)
    assert [(point.step, point.value) for point in history] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert by_key["sweep-a/0002"].data.tags[Tag.FAILURE] == "loss is nan"


def test_a_refusal_is_an_error_of_ours(tracker: Tracker) -> None:
    with pytest.raises(TrackingError, match="MLFLOW_TRACKING_URI"):
        tracker.log_metrics("no-such-run", {OBJECTIVE: 0.5}, 1)


def test_the_ui_command_names_the_store(settings: Settings) -> None:
    program, *arguments = ui_command(settings).split()
    assert Path(program).resolve() == Path(sys.executable).with_name("mlflow").resolve()
    assert arguments == ["ui", "--backend-store-uri", settings.tracking_uri]


def test_defaults_stay_below_home(tmp_path: Path) -> None:
    settings = read_settings({"DRMN_HOME": str(tmp_path)})
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert settings.sweep_folder("s") == tmp_path / "sweeps" / "s"
