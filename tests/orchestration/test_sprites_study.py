"""Tables 2 and 3 on sprites with a tuned backbone: killed, continued, compared, reported."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from typed_commands import BIN, TINY, clean_environ, run_command

from drmn.data.sprites import render_sprites
from drmn.names import CZSL_TOP1, GZSL_HARMONIC
from drmn.variants import VARIANTS
from orchestration.provenance.data_input import digest_of
from orchestration.report.results import Results, load_results
from orchestration.study.files import StudyFolder
from orchestration.tracking import MlflowTag, Tag

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300, func_only=True)]

NUM_SEEDS = 2
LAST_ROWS = ("+global", "+ensemble")
STUDY = [
    str(BIN / "drmn"), "ablate", "--dataset", "sprites", "--study", "paper", "--name", "live",
    "--seeds", str(NUM_SEEDS), *TINY,
    "--set", "backbone.train=all", "--set", "backbone.lr=1e-4",
    "--set", "model.standardise_levels=false",
]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo set is rendered already."""
    root = tmp_path_factory.mktemp("home")
    render_sprites(root / "data")
    return root


def _done(home: Path) -> dict[Path, int]:
    files = (home / "studies/live/trainings").glob("*/result.json")
    return {file: file.stat().st_mtime_ns for file in files}


@pytest.fixture(scope="module")
def before_the_kill(home: Path) -> dict[Path, int]:
    """What was done when the study's driver was killed."""
    with (home / "out.txt").open("w") as out:
        driver = subprocess.Popen(
            STUDY, cwd=home, env=clean_environ(DRMN_HOME=str(home)), stdout=out, stderr=out
        )
        deadline = time.monotonic() + 120
        while len(_done(home)) < 3 and driver.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        driver.send_signal(signal.SIGKILL)
        driver.wait(30)
    assert driver.returncode == -signal.SIGKILL, (home / "out.txt").read_text()
    return _done(home)


@pytest.fixture(scope="module")
def said(home: Path, before_the_kill: dict[Path, int]) -> str:
    """What the same command says when it is given again."""
    assert before_the_kill
    done = run_command(
        *STUDY, folder=home, environ=clean_environ(DRMN_HOME=str(home)), timeout_s=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def results(home: Path, said: str) -> Results:
    assert said
    return load_results(StudyFolder(home / "studies/live"))


def test_a_killed_study_continues_and_runs_nothing_twice(
    home: Path, before_the_kill: dict[Path, int], said: str
) -> None:
    assert 3 <= len(before_the_kill) < 14
    assert f"16 runs from 14 trainings, {len(before_the_kill)} of them done already" in said
    after = _done(home)
    assert len(after) == 14
    assert {file: after[file] for file in before_the_kill} == before_the_kill


def test_every_row_has_every_seed_and_the_ensemble_no_training_of_its_own(
    results: Results,
) -> None:
    cells = {cell.row: cell for cell in results.rows("sprites")}
    assert set(cells) == set(VARIANTS)
    assert all(sorted(cell.seeds) == list(range(NUM_SEEDS)) for cell in cells.values())
    keys = {row: [seed.key for seed in cell.seeds.values()] for row, cell in cells.items()}
    assert keys["+ensemble"] == keys["+global"]
    assert len({key for found in keys.values() for key in found}) == 7 * NUM_SEEDS


def test_every_step_of_the_papers_tables_is_compared(results: Results) -> None:
    for metric in (GZSL_HARMONIC, CZSL_TOP1):
        compared = results.comparisons("sprites", metric)
        assert len(compared) == 10
        assert {each.test.num_seeds for each in compared} == {NUM_SEEDS}
        assert all(0.5 <= each.test.p_value <= each.p_holm <= 1 for each in compared)


def test_a_tuned_backbone_carries_the_global_loss_into_the_attribute_branch(
    results: Results,
) -> None:
    """With a frozen one these logits are equal: the branches would share no trained weight."""
    without, with_it = (results.cells["sprites", row] for row in ("+DAB+SIT", "+global"))
    for seed in range(NUM_SEEDS):
        assert not torch.equal(without.seeds[seed].logits.o, with_it.seeds[seed].logits.o)
        assert with_it.seeds[seed].logits.g is not None


def test_the_study_is_reported_and_nested_in_mlflow(home: Path, results: Results) -> None:
    command = (str(BIN / "drmn"), "report", results.name, "--format", "md")
    done = run_command(*command, folder=home, environ=clean_environ(DRMN_HOME=str(home)))
    assert done.returncode == 0, done.stdout + done.stderr
    text = (home / "studies/live/report.md").read_text()
    for row in VARIANTS:
        assert f"| {row} |" in text
    assert "Differences in H on sprites" in text
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    (experiment,) = [e for e in client.search_experiments() if e.name == "drmn-sprites"]
    runs = client.search_runs([experiment.experiment_id])
    _check_content(client, runs, results)
    kinds = {run.info.run_id: run.data.tags[Tag.KIND] for run in runs}
    assert sorted(kinds.values()) == ["row"] * 8 + ["seed"] * 16 + ["study"]
    for run in runs:
        parent = kinds.get(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))
        assert parent == {"seed": "row", "row": "study", "study": None}[kinds[run.info.run_id]]
        assert run.info.status == "FINISHED"


def _check_content(client: MlflowClient, runs: list[Run], results: Results) -> None:
    cells = {cell.row: cell for cell in results.rows("sprites")}
    harmonic = f"test/{GZSL_HARMONIC}"
    for run in runs:
        tags, metrics = run.data.tags, run.data.metrics
        (data,) = run.inputs.dataset_inputs
        assert data.dataset.digest == digest_of(tags[Tag.DATA_HASH], tags[Tag.SPLIT_HASH])
        kind, row = tags[Tag.KIND], tags.get(Tag.VARIANT, "")
        if kind == "study":
            assert all(f"| {row} | {NUM_SEEDS} |" in tags[MlflowTag.DESCRIPTION] for row in cells)
            files = {file.path for file in client.list_artifacts(run.info.run_id, "origin")}
            assert "origin/requirements.txt" in files
            assert tags[Tag.COMMAND].startswith("drmn ablate --dataset sprites")
        elif kind == "row":
            assert metrics[harmonic] == pytest.approx(cells[row].interval(GZSL_HARMONIC).mean)
            assert f"test_ci95_low/{GZSL_HARMONIC}" in metrics
            assert run.data.params["model.sit.enabled"] == str("SIT" in row or row in LAST_ROWS)
        else:
            assert tags[Tag.GPU] == "none"
            assert tags[Tag.CPU]
            assert metrics["system/process_memory_megabytes"] > 0
