"""A sweep that is killed, stopped or out of budget, and resumed, equals an undisturbed one."""

import json
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from sweep_process import SWEEP, SweepProcess, kill_trial_of
from typer.testing import CliRunner

from drmn.names import LOSS_TOTAL
from orchestration.cli import app
from orchestration.events import Fate
from orchestration.provenance.data_input import digest_of
from orchestration.searcher.storage import open_storage
from orchestration.serving.registering import REGISTERED_FILE
from orchestration.stopping.budget import USAGE_FILE
from orchestration.tracking import MlflowTag, Tag

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> SweepProcess:
    sweep = SweepProcess(tmp_path_factory.mktemp("undisturbed"))
    sweep.run("drmn-sweep", *SWEEP)
    return sweep


@pytest.fixture
def sweep(undisturbed: SweepProcess, tmp_path: Path) -> Iterator[SweepProcess]:
    """Another home with the same data."""
    for folder in ("data", "cache"):
        shutil.copytree(undisturbed.home / folder, tmp_path / folder)
    sweep = SweepProcess(tmp_path)
    yield sweep
    sweep.close()


def _kill_driver(sweep: SweepProcess) -> None:
    driver = sweep.start(until_epochs=2)
    driver.kill()
    driver.wait(timeout=30)
    sweep.run("drmn", "runs", "resume", "s")


def _kill_driver_and_reconcile(sweep: SweepProcess) -> None:
    driver = sweep.start(until_epochs=6)
    driver.kill()
    driver.wait(timeout=30)
    assert sweep.differences(dry_run=False)
    assert sweep.differences() == []
    sweep.run("drmn", "runs", "resume", "s")


def _kill_trial(sweep: SweepProcess) -> None:
    driver = sweep.start(until_epochs=2)
    kill_trial_of(driver.pid)
    assert driver.wait(timeout=110) == 0, sweep.log()


def _terminate(sweep: SweepProcess) -> None:
    driver = sweep.start(until_epochs=2)
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(timeout=60) == 143, sweep.log()
    assert "SIGTERM: stopping after the running epochs; again: now" in sweep.log()
    assert "drmn runs resume s" in sweep.log()
    assert Fate.STOPPED in sweep.ledger.fates().values()
    assert sweep.differences() == []
    sweep.run("drmn", "runs", "resume", "s")


def _stop_now(sweep: SweepProcess) -> None:
    driver = sweep.start(until_epochs=2)
    _look_from_another_terminal(sweep)
    assert "is being run by" in sweep.run("drmn", "runs", "resume", "s", exit_code=2)
    assert "has stopped" in sweep.run("drmn", "runs", "stop", "s", "--now")
    assert driver.wait(timeout=30) in (130, 143), sweep.log()
    assert "no process runs the sweep s" in sweep.run("drmn", "runs", "stop", "s")
    sweep.run("drmn", "runs", "resume", "s")


def _look_from_another_terminal(sweep: SweepProcess) -> None:
    environ = {"DRMN_HOME": str(sweep.home)}
    done = CliRunner().invoke(app, ["runs", "watch", "s", "--json"], env=environ)
    content = json.loads(done.stdout)
    assert content["state"].startswith("running: process")
    assert sum(row["epoch"] for row in content["rows"]) >= 2
    run_id = content["links"]["mlflow"].rpartition("/")[2]
    run = MlflowClient(f"sqlite:///{sweep.home}/mlflow.db").get_run(run_id)
    assert run.data.tags[Tag.KIND] == "sweep"
    assert content["links"]["mlflow"] in sweep.log()


def _spend_budget(sweep: SweepProcess) -> None:
    """An hour has passed, and the next driver has one second left."""
    driver = sweep.start(until_epochs=2)
    driver.kill()
    driver.wait(timeout=30)
    (sweep.folder / USAGE_FILE).write_text(json.dumps({"wall_h": 1.0, "gpu_h": 0.0}))
    printed = sweep.run("drmn", "runs", "resume", "s", "--budget", "3601s")
    assert "is spent: stopping after the running epochs" in printed
    assert Fate.STOPPED.value in sweep.result()["fates"].values()
    assert sweep.differences() == []
    assert "a larger --budget" in sweep.run("drmn", "runs", "resume", "s", exit_code=2)
    sweep.run("drmn", "runs", "resume", "s", "--budget", "none")


@pytest.mark.parametrize(
    "disturb",
    [_kill_driver, _kill_driver_and_reconcile, _kill_trial, _terminate, _stop_now],
)
def test_disturbed_and_resumed_loses_nothing_and_doubles_nothing(
    undisturbed: SweepProcess, sweep: SweepProcess, disturb: Callable[[SweepProcess], None]
) -> None:
    disturb(sweep)
    assert sweep.result() == undisturbed.result()
    assert sweep.differences() == []
    _check_optuna(sweep)
    _check_mlflow(sweep, {"sweep": 1, "trial": 3, "final": 2, "final-seed": 4})


def test_a_budgets_end_is_a_result_and_can_be_continued(
    undisturbed: SweepProcess, sweep: SweepProcess
) -> None:
    _spend_budget(sweep)
    assert sweep.result() == undisturbed.result()
    assert sweep.differences() == []
    _check_optuna(sweep)
    (sweep.folder / REGISTERED_FILE).unlink()  # as where MLflow did not answer then
    assert [each.has for each in sweep.differences(dry_run=False)] == ["not registered"]
    assert sweep.differences() == []


def _check_optuna(sweep: SweepProcess) -> None:
    storage = open_storage(None, sweep.folder / "study.journal")
    (name,) = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    assert len(study.trials) == 3
    assert all(trial.state.is_finished() for trial in study.trials)
    assert len({tuple(trial.params.items()) for trial in study.trials}) == 3


def _check_mlflow(sweep: SweepProcess, expected: dict[str, int]) -> None:
    client = MlflowClient(f"sqlite:///{sweep.home}/mlflow.db")
    experiment = client.get_experiment_by_name("drmn-sprites")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert Counter(run.data.tags[Tag.KIND] for run in runs) == expected
    assert all(run.info.status != "RUNNING" for run in runs)
    histories = sweep.ledger.histories()
    for run in runs:
        tags = run.data.tags
        (data,) = run.inputs.dataset_inputs
        assert data.dataset.digest == digest_of(tags[Tag.DATA_HASH], tags[Tag.SPLIT_HASH])
        told = [trial in tags[MlflowTag.DESCRIPTION] for trial in histories]
        assert any(told) if tags[Tag.KIND] == "trial" else all(told) == (tags[Tag.KIND] == "sweep")
        if run.data.tags[Tag.KIND] == "trial":
            trial = run.data.tags[Tag.TRIAL_KEY].rpartition("/")[2]
            steps = [p.step for p in client.get_metric_history(run.info.run_id, LOSS_TOTAL)]
            assert steps == sorted(histories[trial].epochs)
