"""A study that searches each row's settings first: the search and its trials below the row."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from typed_commands import BIN, TINY, clean_environ, run_command

from drmn.data.sprites import render_sprites
from orchestration.study.files import StudyFolder
from orchestration.tracking import MlflowTag, Tag

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240, func_only=True)]

STUDY = "rows: [{name: only, set: {model.sit.enabled: false}}]\nname: one\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a study of one row, two trials and one seed has ended."""
    root = tmp_path_factory.mktemp("home")
    render_sprites(root / "data")
    (root / "one.yaml").write_text(STUDY)
    done = run_command(
        str(BIN / "drmn"), "ablate", "--dataset", "sprites", "--study", "one.yaml", "--name",
        "tuned", "--seeds", "1", "--tune-each", "2", *TINY,
        folder=root, environ=clean_environ(DRMN_HOME=str(root)), timeout_s=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return root


def test_its_search_is_nested_in_the_row_that_it_is_for(home: Path) -> None:
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    experiment = client.get_experiment_by_name("drmn-sprites")
    assert experiment is not None
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(_path(run, runs) for run in runs.values()) == [
        "study",
        "study/row",
        "study/row/seed",
        "study/row/sweep",
        "study/row/sweep/trial",
        "study/row/sweep/trial",
    ]
    assert "RUNNING" not in {run.info.status for run in runs.values()}
    by_kind = {run.data.tags[Tag.KIND]: run for run in runs.values()}
    read = {kind: run.inputs.dataset_inputs[0].tags[0].value for kind, run in by_kind.items()}
    protocols = {"study": "test", "row": "test", "seed": "test"}
    assert read == {**protocols, "sweep": "validation", "trial": "validation"}
    said = by_kind["sweep"].data.tags[MlflowTag.DESCRIPTION]
    assert all(f"| {trial} |" in said for trial in ("0000", "0001"))
    (found,) = StudyFolder(home / "studies/tuned").record().tuned.values()
    params = by_kind["row"].data.params
    assert {path: params[path] for path in found} == {k: str(v) for k, v in found.items()}


def _path(run: Run, runs: dict[str, Run]) -> str:
    kind, parent = run.data.tags[Tag.KIND], runs.get(run.data.tags.get(MLFLOW_PARENT_RUN_ID, ""))
    return f"{_path(parent, runs)}/{kind}" if parent else str(kind)
