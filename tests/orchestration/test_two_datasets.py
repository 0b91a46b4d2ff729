"""A study of a user's own, from Python, over two data sets: begun, then given a seed more."""

import shutil
from pathlib import Path

import pytest
from distributions import write_folder
from mlflow import MlflowClient
from typed_commands import BIN, TINY, clean_environ, run_command

from drmn.names import GZSL_HARMONIC
from orchestration.report.results import Results, load_results
from orchestration.study.files import StudyFolder
from orchestration.tracking import Tag

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

STUDY = """
from drmn.variants import Variant
from orchestration.study.definition import Study

STUDY = Study(name="mine", rows=tuple(
    Variant(name=f"m={m}", overrides={"model.channel_attention.reduction": m}) for m in (2, 4)
))
"""
DATASETS = ("first", "second")


def _ablate(root: Path, datasets: tuple[str, ...], first_seed: int) -> str:
    named = [text for name in datasets for text in ("--dataset", name)]
    done = run_command(
        str(BIN / "drmn"), "ablate", *named, "--data-root", str(root / "data"), "--study",
        str(root / "mine.py"), "--name", "mine", "--seeds", "1", "--first-seed", str(first_seed),
        *TINY, "--set", "model.sit.enabled=false",
        folder=root, environ=clean_environ(DRMN_HOME=str(root / "home")),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _made(folder: StudyFolder) -> dict[str, int]:
    files = folder.path.glob("trainings/*/result.json")
    return {file.parent.name: file.stat().st_mtime_ns for file in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both data sets and the study's file lie, and what commands write."""
    found = tmp_path_factory.mktemp("two")
    for name in DATASETS:
        write_folder(found / "data" / name.upper())
    (found / "mine.py").write_text(STUDY)
    return found


@pytest.fixture(scope="module")
def begun(root: Path) -> StudyFolder:
    """One seed of each row on each data set."""
    assert "4 runs from 4 trainings, 0 of them done already" in _ablate(root, DATASETS, 0)
    return StudyFolder(root / "home/studies/mine")


@pytest.fixture(scope="module")
def continued(root: Path, begun: StudyFolder) -> Results:
    """The second data set's next seed, after one of its trainings was deleted."""
    (lost,) = (run for run in begun.record().runs(["m=4"]) if run.dataset == "second")
    deleted = lost.training_key(begun.record().splits["second"])
    before = _made(begun)
    shutil.rmtree(begun.training(deleted))
    assert "4 runs from 4 trainings, 1 of them done already" in _ablate(root, ("second",), 1)
    after = _made(begun)
    assert before.keys() < after.keys()
    assert len(after) == len(before) + 2
    assert {key for key in before if after[key] != before[key]} == {deleted}
    return load_results(begun)


def test_only_what_is_missing_is_run(continued: Results) -> None:
    """The deleted training and the new seed; the data set that was not named is left alone."""
    seeds = {place: sorted(cell.seeds) for place, cell in continued.cells.items()}
    assert seeds == {
        ("first", "m=2"): [0], ("first", "m=4"): [0],
        ("second", "m=2"): [0, 1], ("second", "m=4"): [0, 1],
    }  # fmt: skip


def test_rows_are_compared_within_each_data_set(root: Path, continued: Results) -> None:
    tested = {
        name: continued.comparisons(name, GZSL_HARMONIC)[0].test.num_seeds for name in DATASETS
    }
    assert tested == {"first": 1, "second": 2}
    command = (str(BIN / "drmn"), "report", "mine", "--format", "md")
    done = run_command(*command, folder=root, environ=clean_environ(DRMN_HOME=str(root / "home")))
    assert done.returncode == 0, done.stdout + done.stderr
    text = (root / "home/studies/mine/report.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## first", "## second",
    ]  # fmt: skip
    assert text.count("m=2 → m=4") == 4


def test_a_training_made_anew_is_the_same_run_in_mlflow(root: Path, continued: Results) -> None:
    client = MlflowClient(f"sqlite:///{root}/home/mlflow.db")
    for name in DATASETS:
        (experiment,) = [e for e in client.search_experiments() if e.name == f"drmn-{name}"]
        runs = client.search_runs([experiment.experiment_id])
        kinds = sorted(run.data.tags[Tag.KIND] for run in runs)
        num_seeds = sum(len(cell.seeds) for cell in continued.rows(name))
        assert kinds == ["row"] * 2 + ["seed"] * num_seeds + ["study"]
