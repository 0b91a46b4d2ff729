"""Runs in a real MLflow on SQLite."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from drmn.config import Config
from drmn.names import LOSS_TOTAL, OBJECTIVE
from orchestration.events import Fate
from orchestration.provenance.load import SYSTEM
from orchestration.provenance.machine import MACHINE
from orchestration.settings import Settings, read_settings
from orchestration.tracking import (
    DataInput,
    MlflowTag,
    Status,
    Tag,
    Tracker,
    TrackingError,
    send_spooled,
    ui_command,
)
from orchestration.tracking.migration import migrated_once
from orchestration.tracking.server import Server
from orchestration.trial_logging import SweepRun, TrialLogger

EXPERIMENT = "drmn-test"
FIELDS = {"name": "x", "digest": "d-s", "source_type": "local", "source": "{}"}
DATA = DataInput(fields={**FIELDS, "schema": "{}", "profile": "{}"}, context="validation")
REPORT = {"pid": 7, MACHINE: {"host": "a", "gpu": "H200"}, SYSTEM: {"system/cpu": 50.0}}
"""Of a worker, beside metrics."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return read_settings({"DRMN_HOME": str(tmp_path_factory.mktemp("home"))})


@pytest.fixture
def client(settings: Settings) -> MlflowClient:
    return MlflowClient(settings.tracking_uri)


def _children(client: MlflowClient, parent: str):
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    ids = [experiment.experiment_id]
    (run,) = client.search_runs(ids, f"tags.`{Tag.TRIAL_KEY}` = '{parent}'")
    below = client.search_runs(ids, f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}'")
    return {each.data.tags[Tag.TRIAL_KEY]: each for each in below}


@pytest.mark.slow
def test_trials_are_nested_complete_and_closed_by_fate(
    settings: Settings, client: MlflowClient, tmp_path: Path
) -> None:
    config = Config()
    fates = {"0000": Fate.COMPLETE, "0001": Fate.PRUNED, "0002": Fate.FAILED}
    with Tracker(settings, EXPERIMENT, tmp_path) as tracker:
        parent_id = tracker.open_run("sweep-a", "sweep a", {})
        tags = {Tag.DATASET: "x"}
        parent = SweepRun(
            run_id=parent_id, sweep="sweep-a", tags=tags, config=config, data=DATA, name="a"
        )
        logger = TrialLogger(tracker, parent)
        for trial in [*fates, *fates]:
            logger.started(trial, {"loss.lambda_sc": 0.5})
        for epoch in range(1, 4):
            for trial in fates:
                logger.epoch_ended(trial, epoch, {**REPORT, OBJECTIVE: epoch / 10, LOSS_TOTAL: 1.0})
        for trial, fate in fates.items():
            logger.ended(trial, fate, 3, "loss is nan" if fate is Fate.FAILED else "")
        assert tracker.finish().message == ""
    runs = _children(client, "sweep-a")
    assert sorted(runs) == ["sweep-a/0000", "sweep-a/0001", "sweep-a/0002"]
    assert [runs[key].info.status for key in sorted(runs)] == ["FINISHED", "KILLED", "FAILED"]
    run = runs["sweep-a/0000"]
    assert run.data.params["loss.lambda_sc"] == "0.5"
    assert set(run.data.params) == set(config.flat())
    assert set(run.data.metrics) == {OBJECTIVE, LOSS_TOTAL, "system/cpu"}
    assert run.data.tags[Tag.GPU] == "H200"
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.to_dictionary(), data.tags[0].value) == (DATA.fields, "validation")
    assert "best `val/gzsl_harmonic` 30.0 %" in run.data.tags[MlflowTag.DESCRIPTION]
    history = client.get_metric_history(run.info.run_id, OBJECTIVE)
    assert [(point.step, point.value) for point in history] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert runs["sweep-a/0002"].data.tags[Tag.FAILURE] == "loss is nan"


@pytest.mark.slow
def test_a_second_life_continues_the_same_runs(
    settings: Settings, client: MlflowClient, tmp_path: Path
) -> None:
    for num_epochs in (2, 4):
        with Tracker(settings, EXPERIMENT, tmp_path) as tracker:
            parent = tracker.open_run("sweep-b", "sweep b", {})
            trial = tracker.open_run("sweep-b/0", "trial 0", {}, parent)
            for epoch in range(1, num_epochs + 1):
                tracker.log_metrics(trial, {LOSS_TOTAL: 1 / epoch}, epoch)
            tracker.log_text(trial, "kept", "notes/a.txt")
            tracker.close_run(trial, Status.FINISHED)
    (run,) = _children(client, "sweep-b").values()
    history = client.get_metric_history(run.info.run_id, LOSS_TOTAL)
    assert [point.step for point in history] == [1, 2, 3, 4]
    assert run.info.status == "FINISHED"
    (artifact,) = client.list_artifacts(run.info.run_id, "notes")
    assert artifact.path == "notes/a.txt"
    assert not list((tmp_path / "mlflow" / EXPERIMENT / "files").iterdir())


@pytest.mark.slow
def test_what_is_refused_is_recorded_and_told(settings: Settings, tmp_path: Path) -> None:
    tracker = Tracker(settings, EXPERIMENT, tmp_path)
    tracker.log_metrics("no-such-run", {OBJECTIVE: 0.5}, 1)
    outcome = tracker.finish()
    assert outcome.num_refused == 1
    assert "refused 1 events" in outcome.message
    record = (tmp_path / "mlflow" / EXPERIMENT / "refused.jsonl").read_text()
    assert "no run with the key 'no-such-run'" in record


@pytest.mark.slow
def test_two_processes_do_not_share_a_spool(settings: Settings, tmp_path: Path) -> None:
    with (
        Tracker(settings, EXPERIMENT, tmp_path),
        pytest.raises(TrackingError, match="another process"),
    ):
        send_spooled(settings, tmp_path)
    assert [outcome.message for outcome in send_spooled(settings, tmp_path)] == [""]


def test_the_ui_command_names_the_store(tmp_path: Path) -> None:
    settings = read_settings({"DRMN_HOME": str(tmp_path)})
    program, *arguments = ui_command(settings).split()
    assert Path(program).resolve() == Path(sys.executable).with_name("mlflow").resolve()
    assert arguments == ["ui", "--backend-store-uri", settings.tracking_uri]


def test_defaults_stay_below_home(tmp_path: Path) -> None:
    settings = read_settings({"DRMN_HOME": str(tmp_path)})
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert settings.sweep_folder("s") == tmp_path / "sweeps" / "s"


class _Late:
    """An MLflow in which another process makes the experiment just before this one."""

    def __init__(self) -> None:
        self.found: list[SimpleNamespace] = []

    def get_experiment_by_name(self, _name: str) -> SimpleNamespace | None:
        return self.found[0] if self.found else None

    def create_experiment(self, *_: object, **__: object) -> str:
        self.found.append(SimpleNamespace(experiment_id="7"))
        raise MlflowException("it exists", RESOURCE_ALREADY_EXISTS)


def test_an_experiment_that_another_has_made_meanwhile_is_used(settings: Settings) -> None:
    assert Server(settings, EXPERIMENT)._ensure_experiment(_Late()) == "7"


@pytest.mark.slow
def test_a_death_while_the_database_is_made_leaves_none_or_all_of_it(tmp_path: Path) -> None:
    settings = read_settings({"DRMN_HOME": str(tmp_path)})

    def die(_engine: object) -> None:
        (tmp_path / "half").touch()
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("orchestration.tracking.migration._initialize_tables", die)
        Server(settings, EXPERIMENT).connect()
    assert (tmp_path / "half").exists()
    assert not (tmp_path / "mlflow.db").exists()
    with migrated_once(settings):
        assert (tmp_path / "mlflow.db").exists()
    assert Server(settings, EXPERIMENT).connect().get_experiment_by_name(EXPERIMENT) is not None
