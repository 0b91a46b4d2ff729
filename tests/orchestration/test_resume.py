"""A sweep whose driver is killed and resumed equals one that was never disturbed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient

from drmn.names import LOSS_TOTAL
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.searcher.storage import open_storage
from orchestration.tracking import Tag

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BIN = Path(sys.executable).parent
SWEEP = ["--dataset", "sprites", "--name", "s", "--trials", "3", "--epochs", "4"]
SWEEP += ["--set", "training.steps_per_epoch=2", "--set", "data.image_size=32"]
SWEEP += ["--grace-period", "1", "--max-concurrent", "1", "--final-seeds", "2"]


def _environment(home: Path) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DRMN_", "MLFLOW_"))}
    return {**inherited, "DRMN_HOME": str(home), "OMP_NUM_THREADS": "1"}


def _run(home: Path, command: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(BIN / command), *arguments],
        env=_environment(home),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _kill_after_epochs(home: Path, num_epochs: int) -> None:
    """Start the sweep, wait until its ledger has so many epochs, kill -9 the driver."""
    command = [str(BIN / "drmn-sweep"), *SWEEP]
    with (home / "killed.log").open("w") as log:
        driver = subprocess.Popen(command, env=_environment(home), stdout=log, stderr=log)
    ledger = Ledger(home / "sweeps" / "s" / LEDGER_FILE)
    deadline = time.monotonic() + 100
    while sum(len(history.epochs) for history in ledger.histories().values()) < num_epochs:
        assert time.monotonic() < deadline, (home / "killed.log").read_text()
        assert driver.poll() is None, (home / "killed.log").read_text()
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait(timeout=30)


def _result(home: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((home / "sweeps" / "s" / "result.json").read_text())
    timing = [key for key in result["validation"] if key.startswith(("time/", "cost/"))]
    return {
        **result,
        "validation": {k: v for k, v in result["validation"].items() if k not in timing},
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("undisturbed")
    _run(home, "drmn-sweep", *SWEEP)
    return home


@pytest.mark.parametrize("num_epochs", [2, 6])
def test_killed_and_resumed_loses_nothing_and_doubles_nothing(
    undisturbed: Path, tmp_path: Path, num_epochs: int
) -> None:
    for folder in ("data", "cache"):
        shutil.copytree(undisturbed / folder, tmp_path / folder)
    _kill_after_epochs(tmp_path, num_epochs)
    _run(tmp_path, "drmn", "runs", "resume", "s")
    assert _result(tmp_path) == _result(undisturbed)
    _check_optuna(tmp_path)
    _check_mlflow(tmp_path)


def _check_optuna(home: Path) -> None:
    storage = open_storage(None, home / "sweeps" / "s" / "study.journal")
    (name,) = optuna.get_all_study_names(storage)
    study = optuna.load_study(study_name=name, storage=storage)
    assert len(study.trials) == 3
    assert all(trial.state.is_finished() for trial in study.trials)
    assert len({tuple(trial.params.items()) for trial in study.trials}) == 3


def _check_mlflow(home: Path) -> None:
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    experiment = client.get_experiment_by_name("drmn-sprites")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    kinds = Counter(run.data.tags[Tag.KIND] for run in runs)
    assert kinds == {"sweep": 1, "trial": 3, "final": 2, "final-seed": 4}
    assert all(run.info.status != "RUNNING" for run in runs)
    histories = Ledger(home / "sweeps" / "s" / LEDGER_FILE).histories()
    for run in runs:
        if run.data.tags[Tag.KIND] == "trial":
            trial = run.data.tags[Tag.TRIAL_KEY].rpartition("/")[2]
            steps = [p.step for p in client.get_metric_history(run.info.run_id, LOSS_TOTAL)]
            assert steps == sorted(histories[trial].epochs)
