"""Ablations as they are typed: on this machine, and as a job of a cluster that asks for a token."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from distributions import write_folder
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from drmn.data.sprites import render_sprites
from orchestration.tracking import Tag

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

STUDY = """
name: small
rows:
  - {name: plain, set: {model.global_branch.enabled: true, inference.ensemble: false}}
  - {name: ensemble, set: {model.global_branch.enabled: true, inference.ensemble: true}}
"""

TINY = [
    "--backbone", "resnet18", "--weights", "none", "--epochs", "1",
    "--set", "data.image_size=32", "--set", "model.fusion.channels=16",
    "--set", "training.steps_per_epoch=2", "--set", "training.classes_per_batch=2",
]  # fmt: skip


def _environ(**more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DRMN_", "MLFLOW_", "RAY_"))
    }
    path = f"{BIN}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **more}


def _run(
    *command: str, folder: Path, environ: dict[str, str], timeout_s: float = 120.0
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Head:
    """A Ray head on loopback that asks for a token."""

    address: str
    home: Path
    environ: dict[str, str]


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    root = tmp_path_factory.mktemp("head")
    token = root / "token"
    token.write_text("0123456789abcdef" * 4)
    token.chmod(0o600)
    home = root / "home"
    environ = _environ(
        RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token), DRMN_HOME=str(home),
    )  # fmt: skip
    port, dashboard = _free_port(), _free_port()
    session = tempfile.mkdtemp(prefix="ray-")  # short: sockets lie in it
    process = subprocess.Popen(
        [
            str(BIN / "ray"), "start", "--head", "--block", "--node-ip-address=127.0.0.1",
            f"--port={port}", "--include-dashboard=true", "--dashboard-host=127.0.0.1",
            f"--dashboard-port={dashboard}", "--num-cpus=2", "--disable-usage-stats",
            f"--temp-dir={session}",
        ],
        cwd=root, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        started = Head(f"http://127.0.0.1:{dashboard}", home, environ)
        _wait_for(started, process)
        yield started
    finally:
        _stop(process)
        shutil.rmtree(session, ignore_errors=True)


def _stop(process: subprocess.Popen[bytes], grace_s: float = 3.0) -> None:
    """End the head with all that it started: they are one process group."""
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sent)
            process.wait(grace_s)


def _wait_for(head: Head, process: subprocess.Popen[bytes], timeout_s: float = 100.0) -> None:
    """Until a job runs: the dashboard answers before the agent that starts jobs is there."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        if _submit(head, "--", "true").returncode == 0:
            return
        time.sleep(0.2)
    pytest.fail(f"no job ran at {head.address} within {timeout_s:g} s")


def _submit(head: Head, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "ray"), "job", "submit", "--address", head.address, *arguments]
    return _run(*command, folder=REPOSITORY, environ={**head.environ, **more})


def _small_study(folder: Path) -> list[str]:
    write_folder(folder / "MINE")
    (folder / "small.yaml").write_text(STUDY)
    return [
        "--dataset", "mine", "--data-root", str(folder), "--study", str(folder / "small.yaml"),
        "--seeds", "1", *TINY,
    ]  # fmt: skip


@pytest.mark.timeout(150, func_only=True)
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("script", ["--working-dir", ".", "--", "orchestration/ablation.py"]),
        ("installed", ["--", "drmn", "ablate"]),
    ],
)
def test_an_ablation_is_a_job_of_a_cluster(
    head: Head, tmp_path: Path, name: str, form: list[str]
) -> None:
    done = _submit(head, *form, *_small_study(tmp_path), "--name", name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 runs from 1 trainings, 0 of them done" in done.stdout
    assert len(list((head.home / "studies" / name / "trainings").glob("*/result.json"))) == 1


@pytest.mark.timeout(150, func_only=True)
def test_without_the_token_nothing_is_submitted(head: Head) -> None:
    done = _submit(
        head, "--", "orchestration/ablation.py", RAY_AUTH_MODE="disabled", RAY_AUTH_TOKEN_PATH=""
    )
    assert done.returncode != 0
    assert "token" in (done.stdout + done.stderr).lower()


@pytest.mark.timeout(150, func_only=True)
def test_the_literal_form_runs_the_script_which_asks_for_its_options(head: Head) -> None:
    """Ray takes options without ``--`` for its own; without any, the script itself answers."""
    done = _submit(head, "--working-dir", ".", "orchestration/ablation.py")
    assert done.returncode != 0
    assert "--dataset" in done.stdout + done.stderr, done.stdout + done.stderr
    done = _submit(head, "orchestration/ablation.py", "--dataset", "sun")
    assert "no such option" in (done.stdout + done.stderr).lower()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo set is rendered already."""
    root = tmp_path_factory.mktemp("home")
    render_sprites(root / "data")
    return root


def _ablate_sprites(home: Path, num_seeds: int) -> str:
    """The paper's Table 2 at its ends, with a tuned backbone."""
    done = _run(
        str(BIN / "drmn"), "ablate", "--dataset", "sprites", "--seeds", str(num_seeds),
        "--study", "table2", "--rows", "baseline,+global,+ensemble", "--name", "live", *TINY,
        "--set", "backbone.train=last", "--set", "model.standardise_levels=false",
        folder=home, environ=_environ(DRMN_HOME=str(home)),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(150, func_only=True)
def test_a_study_of_a_tuned_backbone_on_sprites(home: Path) -> None:
    """+ensemble is +global's logits: two trainings for three rows."""
    said = _ablate_sprites(home, num_seeds=1)
    assert "3 runs from 2 trainings, 0 of them done already" in said
    assert "sprites +ensemble seed 0: H " in said


def test_a_second_seed_is_added_and_what_was_lost_made_anew(home: Path) -> None:
    results = sorted((home / "studies/live/trainings").glob("*/result.json"))
    kept, lost = results
    before = kept.stat().st_mtime_ns
    lost.unlink()
    said = _ablate_sprites(home, num_seeds=2)
    assert "6 runs from 4 trainings, 1 of them done already" in said
    assert lost.exists()
    assert kept.stat().st_mtime_ns == before


def test_the_study_is_reported_and_nested_in_mlflow(home: Path) -> None:
    command = (str(BIN / "drmn"), "report", "live", "--format", "md")
    done = _run(*command, folder=home, environ=_environ(DRMN_HOME=str(home)))
    assert done.returncode == 0, done.stdout + done.stderr
    text = (home / "studies/live/report.md").read_text()
    for row in ("baseline", "+global", "+ensemble"):
        assert f"| {row} |" in text
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "drmn-sprites"]
    runs = client.search_runs([experiment.experiment_id])
    kinds = {run.info.run_id: run.data.tags[Tag.KIND] for run in runs}
    assert sorted(kinds.values()) == ["row"] * 3 + ["seed"] * 6 + ["study"]
    for run in runs:
        parent = kinds.get(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))
        assert parent == {"seed": "row", "row": "study", "study": None}[kinds[run.info.run_id]]
        assert run.info.status == "FINISHED"
