"""Ablations as they are typed: on this machine, and as a job of a cluster that asks for a token."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from distributions import write_folder
from ray_head import RayHead, serve_ray_head
from typed_commands import BIN, TINY, clean_environ, run_command

from orchestration.exposure import Exposure, exposure

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]

STUDY = """
name: small
rows:
  - {name: plain, set: {model.global_branch.enabled: true, inference.ensemble: false}}
  - {name: ensemble, set: {model.global_branch.enabled: true, inference.ensemble: true}}
"""


@dataclass(frozen=True)
class Head:
    """A Ray head on loopback that asks for a token."""

    ray: RayHead
    home: Path
    environ: dict[str, str]

    @property
    def address(self) -> str:
        return self.ray.dashboard


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
    with serve_ray_head(environ) as started:
        head = Head(started, home, environ)
        # the dashboard answers before the agent that starts jobs is there
        started.wait_until(lambda: _submit(head, "--", "true").returncode == 0)
        yield head


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


def test_every_port_of_the_head_is_found_to_be_guarded(head: Head) -> None:
    for address in (head.ray.gcs, head.ray.client, head.ray.dashboard):
        head.ray.wait_until(lambda address=address: exposure(address) is not Exposure.SILENT)
        assert exposure(address) is Exposure.GUARDED


def test_the_doctor_joins_the_head_and_looks_at_its_nodes(head: Head) -> None:
    environ = {**head.environ, "RAY_ADDRESS": head.ray.gcs}
    done = run_command("drmn", "doctor", "--json", folder=head.home.parent, environ=environ)
    (found,) = (each for each in json.loads(done.stdout)["checks"] if each["name"] == "Ray")
    texts = [each["text"] for each in found["findings"]]
    assert found["level"] == "good", texts
    assert "asks for a token" in texts[0]
    assert texts[1].startswith("1 node: ")
    assert texts[2:] == ["one set of versions; clocks agree within 1 s"]


@pytest.mark.timeout(150, func_only=True)
def test_the_literal_form_runs_the_script_which_asks_for_its_options(head: Head) -> None:
    """Ray takes options without ``--`` for its own; without any, the script itself answers."""
    done = _submit(head, "--working-dir", ".", "orchestration/ablation.py")
    assert done.returncode != 0
    assert "--dataset" in done.stdout + done.stderr, done.stdout + done.stderr
    done = _submit(head, "orchestration/ablation.py", "--dataset", "sun")
    assert "no such option" in (done.stdout + done.stderr).lower()
