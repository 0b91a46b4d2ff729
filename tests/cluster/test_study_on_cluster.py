"""An ablation submitted from outside the cluster, one of whose workers is lost."""

import json
import subprocess
from pathlib import Path

import pytest
from job_api import wait_until
from mlflow import MlflowClient
from namespaces import Host
from rig import Rig
from typed_commands import BIN

from orchestration.tracking import Tag

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

REPOSITORY = Path(__file__).resolve().parents[2]
STUDY = """
name: small
rows:
  - {name: without, set: {model.sit.enabled: false}}
  - {name: with, set: {model.sit.enabled: true}}
"""
OPTIONS = ["--dataset", "sprites", "--seeds", "1", "--epochs", "8", "--gpus-per-trial", "1"]
OPTIONS += ["--set", "training.steps_per_epoch=10", "--set", "data.image_size=32"]
_LIMIT_S = 150.0


def test_an_ablation_goes_on_when_a_worker_is_lost(rig: Rig, tmp_path: Path) -> None:
    rig.heal()
    (tmp_path / "small.yaml").write_text(STUDY)
    job = rig.ray.start_outside(
        *(str(BIN / "ray"), "job", "submit", "--address", rig.ray.address, "--working-dir", "."),
        *("--", "orchestration/ablation.py", "--name", "lossy"),
        *("--study", str(tmp_path / "small.yaml"), *OPTIONS),
        folder=REPOSITORY,
    )
    victim = _await_training(rig.workers, job)
    victim.kill()
    printed, _ = job.communicate(timeout=_LIMIT_S)
    assert job.returncode == 0, printed
    results = sorted((rig.settings.study_folder("lossy") / "trainings").glob("*/result.json"))
    assert len(results) == 2
    assert all(len(json.loads(path.read_text())["history"]) == 8 for path in results)
    _check_mlflow(rig)


def _check_mlflow(rig: Rig) -> None:
    client = MlflowClient(rig.settings.tracking_uri)
    ids = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(ids, f"tags.`{Tag.TRIAL_KEY}` LIKE 'lossy%'")
    keys = [run.data.tags[Tag.TRIAL_KEY] for run in runs]
    assert len(keys) == len(set(keys)) >= 3, keys  # the study and a run of each row at least
    assert {run.info.status for run in runs} == {"FINISHED"}


def _await_training(hosts: list[Host], job: subprocess.Popen[str]) -> Host:
    """The first host found on which an epoch is being trained."""
    found: list[Host] = []

    def is_there() -> bool:
        assert job.poll() is None, job.communicate()[0]
        found.extend(host for host in hosts if any(map(_trains, host.pids())))
        return bool(found)

    wait_until(is_there, "a training", _LIMIT_S)
    return found[0]


def _trains(pid: int) -> bool:
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False  # it ended meanwhile
    return title.startswith(b"ray::ImplicitFunc.train")
