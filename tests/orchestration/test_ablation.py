"""Ablations as they are typed: on this machine, and as a job of a cluster that asks for a token."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from distributions import write_folder
from typed_commands import BIN, TINY, clean_environ, run_command

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]

STUDY = """
name: small
rows:
  - {name: plain, set: {model.global_branch.enabled: true, inference.ensemble: false}}
  - {name: ensemble, set: {model.global_branch.enabled: true, inference.ensemble: true}}
"""


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
    environ = clean_environ(
        RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token), DRMN_HOME=str(home),
    )  # fmt: skip
    port, dashboard = _free_port(), _free_port()
    session = tempfile.mkdtemp(prefix="ray-")  # short: sockets lie in it
    process = subprocess.Popen(
        [
            str(BIN / "ray"), "start", "--head", "--block", "--node-ip-address=127.0.0.1",
            f"--port={port}", "--include-dashboard=true", "--dashboard-host=127.0.0.1",
            f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={_free_port()}",
            "--num-cpus=2", "--disable-usage-stats",
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
    return run_command(*command, folder=REPOSITORY, environ={**head.environ, **more})


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
