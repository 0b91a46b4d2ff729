"""No credential is written anywhere: a sweep on real servers, then a search through all it left."""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from leaks import find_leaks, find_leaks_in_database
from mlflow_server import MlflowServer
from pyarrow import fs
from sqlalchemy.engine import make_url
from swift_server import SECRET_KEY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

BIN = Path(sys.executable).parent
MLFLOW_PASSWORD = "canary-of-mlflow-51d0b3"
SWEEP = ["--dataset", "sprites", "--trials", "1", "--epochs", "4"]
SWEEP += ["--set", "training.steps_per_epoch=2", "--set", "data.image_size=32"]
SWEEP += ["--grace-period", "1", "--final-seeds", "1", "--no-paper-final"]


@pytest.fixture
def mlflow(tmp_path: Path) -> Iterator[str]:
    """A server's URL with a password that it does not ask for; its files are in ``server``."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = MlflowServer(folder)
    server.start()
    try:
        yield server.uri.replace("http://", f"http://admin:{MLFLOW_PASSWORD}@")
    finally:
        server.stop()


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Ray's sessions; their sockets want a short path."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def test_credentials_are_written_nowhere(
    mlflow: str, s3_uri: str, postgres: str, ray_folder: Path, tmp_path: Path
) -> None:
    password = make_url(postgres).password
    assert password
    canaries = [SECRET_KEY, MLFLOW_PASSWORD, str(password)]
    environment = {
        **os.environ,
        "DRMN_HOME": str(tmp_path / "home"),
        "DRMN_SWEEP_STORAGE": s3_uri,
        "DRMN_RESULT_STORE": s3_uri,
        "DRMN_STUDY_STORAGE": postgres,
        "MLFLOW_TRACKING_URI": mlflow,
        "MLFLOW_TRACKING_PASSWORD": MLFLOW_PASSWORD,
        "RAY_TMPDIR": str(ray_folder),
        "OMP_NUM_THREADS": "1",
    }
    written = tmp_path / "written"
    written.mkdir()
    failing = {"DRMN_SWEEP_STORAGE": s3_uri.replace("s3://drmn/", "s3://nobody-has-this/")}
    changes: dict[str, dict[str, str]] = {"sweep": {}, "failing": failing}
    for name, change in changes.items():
        done = subprocess.run(
            [str(BIN / "drmn-sweep"), *SWEEP, "--name", name],
            env={**environment, **change},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        (written / f"{name}.out").write_text(done.stdout + done.stderr)
        assert done.returncode == (2 if change else 0), done.stdout + done.stderr
    filesystem, path = fs.FileSystem.from_uri(s3_uri)
    fs.copy_files(path, str(written / "s3"), source_filesystem=filesystem)
    assert list(written.glob("s3/sweep-*/experiment_state-*.json"))
    assert len(list(written.glob("s3/sweep-*/trial_*/checkpoint_*"))) in (1, 2)  # best, last
    assert list(written.glob("s3/objects/*/*"))
    assert list(ray_folder.rglob("worker-*"))
    places = [written, ray_folder, tmp_path / "home", tmp_path / "server"]
    assert [leak for place in places for leak in find_leaks(canaries, place)] == []
    assert find_leaks_in_database(canaries, postgres.replace("://", "+psycopg://")) == []


def test_a_planted_secret_is_found(tmp_path: Path) -> None:
    secret = "canary/of a test"
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"uri": f"s3://k:{secret}@bucket"}))
    with (tmp_path / "b.log").open("w") as log:
        log.write("s3://k:canary/of%20a%20test@bucket")
    (tmp_path / "c").write_text("nothing")
    assert [leak.split(":")[0] for leak in sorted(find_leaks([secret], tmp_path))] == [
        "a.pkl",
        "b.log",
    ]
