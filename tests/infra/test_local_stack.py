"""The local stack as a user drives it: started, used by a sweep, broken, started again, removed."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import optuna
import pytest
from drmn_local.places import Places
from drmn_local.postgres import Postgres, postgres_binaries
from drmn_local.processes import Daemon, free_port
from mlflow import MlflowClient

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")  # it outlives its starter
def test_a_process_is_known_by_its_birth(tmp_path: Path) -> None:
    daemon = Daemon("sleeper", Places(tmp_path))
    daemon.places.make()
    assert daemon.pid is None
    daemon.start(["sleep", "60"], {"PATH": os.defpath})
    pid = daemon.pid
    assert pid is not None
    file = tmp_path / "processes" / "sleeper.json"
    known = json.loads(file.read_text())
    file.write_text(json.dumps({**known, "birth": "1"}))  # the id now belongs to somebody else
    assert daemon.pid is None
    assert not daemon.stop()
    os.kill(pid, 0)
    file.write_text(json.dumps(known))
    assert daemon.stop()
    assert not daemon.stop()


def test_a_taken_port_is_not_chosen() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_secrets_are_made_once_and_are_private(tmp_path: Path) -> None:
    places = Places(tmp_path / "stack")
    places.make()
    found = places.secrets()
    assert places.secrets() == found
    assert len({found.database, found.mlflow, found.mlflow_session, found.store}) == 4
    assert (places.root / "secrets.json").stat().st_mode & 0o077 == 0


class _Stack:
    """infra/local of a folder."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder)

    def __call__(self, step: str, *options: str, fails: bool = False) -> str:
        done = subprocess.run(
            [str(REPOSITORY / "infra/local" / step), "--folder", str(self.places.root), *options],
            env={**os.environ, "PYTHON": sys.executable},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert bool(done.returncode) == fails, done.stdout + done.stderr
        return done.stdout

    def environment(self) -> dict[str, str]:
        """What sourcing the printed line gives."""
        line = self("up", "--export")
        shell = subprocess.run(
            ["sh", "-c", f"{line}env"], capture_output=True, text=True, check=True, timeout=20
        )
        return dict(each.split("=", 1) for each in shell.stdout.splitlines() if "=" in each)

    def secrets(self) -> list[str]:
        return list(vars(self.places.secrets()).values())


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[_Stack]:
    if postgres_binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    found = _Stack(tmp_path / "stack")
    yield found
    found("down", "--delete")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_sweep_on_the_stack_and_the_stack_through_a_crash(stack: _Stack, tmp_path: Path) -> None:
    environ = stack.environment()
    first = stack("status")
    assert first.count("process") == 6
    again = stack("up")
    assert "started" not in again
    assert stack("status") == first
    _check_access(environ)
    said = _sweep(environ, tmp_path)
    _check_books(environ)
    _check_store(environ)
    for secret in stack.secrets():
        assert secret not in first + again + said
        assert secret not in stack("logs", "-n", "100000")
    mlflow = Daemon("mlflow", stack.places).pid
    assert mlflow is not None
    os.killpg(mlflow, signal.SIGKILL)
    assert "mlflow           not running" in stack("status", fails=True)
    assert "mlflow started" in stack("up")
    _check_books(environ)
    stack("down")
    assert "process" not in stack("status", fails=True)
    stack("down", "--delete")
    assert not stack.places.root.exists()
    assert not Postgres(stack.places).data.exists()


def _check_access(environ: dict[str, str]) -> None:
    """Nobody without the password, and no page that came by another host's name."""
    url = f"{environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/experiments/search?max_results=1"
    login = f"{environ['MLFLOW_TRACKING_USERNAME']}:{environ['MLFLOW_TRACKING_PASSWORD']}"
    basic = "Basic " + base64.b64encode(login.encode()).decode()
    for headers, status in (({}, 401), ({"Authorization": basic, "Host": "evil.example"}, 403)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20)
        assert refused.value.code == status
        refused.value.close()
    request = urllib.request.Request(url, headers={"Authorization": basic})
    with urllib.request.urlopen(request, timeout=20) as reply:
        assert reply.status == 200


def _sweep(environ: dict[str, str], folder: Path) -> str:
    command = [str(BIN / "drmn-sweep"), "--dataset", "sprites", "--name", "s", "--trials", "1"]
    command += ["--epochs", "1", "--grace-period", "1", "--set", "training.steps_per_epoch=1"]
    command += ["--set", "data.image_size=32", "--no-paper-final"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environ, "DRMN_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "registered as models:/drmn-sprites/1, champion" in done.stdout
    return done.stdout + done.stderr


def _check_books(environ: dict[str, str]) -> None:
    """MLflow has the runs, Optuna's study is in PostgreSQL; no secret is in either."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        client = MlflowClient(environ["MLFLOW_TRACKING_URI"])
        experiment = client.get_experiment_by_name("drmn-sprites")
        assert experiment is not None
        assert experiment.artifact_location.startswith("mlflow-artifacts:/")
        runs = client.search_runs([experiment.experiment_id])
        assert runs
        written = json.dumps([run.to_dictionary() for run in runs])
        assert environ["MLFLOW_TRACKING_PASSWORD"] not in written
        storage = optuna.storages.RDBStorage(environ["DRMN_STUDY_STORAGE"])
        assert len(optuna.get_all_study_summaries(storage)) == 1
        storage.engine.dispose()


def _check_store(environ: dict[str, str]) -> None:
    """Tune's checkpoints and MLflow's artifacts are objects in the store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", environ["AWS_SHARED_CREDENTIALS_FILE"])
        session = boto3.Session(profile_name="default", region_name=environ["AWS_DEFAULT_REGION"])
        client = session.client("s3", endpoint_url=environ["AWS_ENDPOINT_URL_S3"])
        keys = {
            bucket: [each["Key"] for each in client.list_objects_v2(Bucket=bucket)["Contents"]]
            for bucket in ("mlflow", "drmn")
        }
    assert any(key.endswith("model.drmn") for key in keys["mlflow"])
    assert any(key.endswith(".ckpt") for key in keys["drmn"])
