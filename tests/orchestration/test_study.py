"""Studies: their rows, files of a user's own, what shares a training, what may continue."""

from dataclasses import replace
from pathlib import Path

import pytest
from study_files import fake_record, fake_result, fake_study

from drmn.config import Config
from drmn.errors import ConfigError
from drmn.variants import ENSEMBLE, GLOBAL, VARIANTS, Variant
from orchestration.study.catalogue import STUDIES, known_study
from orchestration.study.definition import Comparison, Study, run_of
from orchestration.study.files import StudyFolder
from orchestration.study.reading import read_study
from orchestration.study.recording import _joined
from orchestration.study.request import StudyRequest
from orchestration.study.tuning import rows_by_training

YAML = """
name: sit heads
part: validation
rows:
  - {name: four, set: {model.sit.heads: 4}}
  - {name: eight, set: {model.sit.heads: 8}}
compare:
  - {part: more heads, without: four, with: eight}
"""

PYTHON = """
from drmn.variants import Variant
from orchestration.study.definition import Study
STUDY = Study(name="mine", rows=tuple(
    Variant(name=f"m={m}", overrides={"model.channel_attention.reduction": m}) for m in (2, 4)
))
"""


def _trainings(study: Study, num_seeds: int = 1) -> int:
    record = fake_record(study, list(range(num_seeds)))
    return len({run.training_key("s") for run in record.runs()})


def test_the_papers_study_has_every_row_and_shares_the_ensembles_training() -> None:
    study = known_study("paper")
    assert {row.name for row in study.rows} == set(VARIANTS)
    assert _trainings(study) == 7
    assert _trainings(study, num_seeds=5) == 35


def test_the_ensemble_is_the_global_branchs_training() -> None:
    keys = {run_of(Config(), row, 3).training_key("s") for row in (GLOBAL, ENSEMBLE)}
    assert len(keys) == 1
    assert run_of(Config(), GLOBAL, 4).training_key("s") not in keys
    assert run_of(Config(), GLOBAL, 3).training_key("other split") not in keys


def test_beta_needs_one_training_and_lambda_gc_one_per_value() -> None:
    assert _trainings(known_study("beta")) == 1
    study = known_study("lambda_gc")
    assert _trainings(study) == len(study.rows)


@pytest.mark.parametrize("name", ["lambda_gc", "lambda_sc", "gamma", "beta"])
def test_a_sensitivity_study_keeps_the_parts_that_the_recipe_leaves_out(name: str) -> None:
    base = Config().with_overrides({"model.sit.enabled": False, "model.fusion.enabled": False})
    for row in known_study(name).rows:
        model = row.apply(base).model
        assert (model.sit.enabled, model.fusion.enabled) == (False, False)
        assert model.global_branch.enabled


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_fits_the_configuration(name: str) -> None:
    study = known_study(name)
    for row in study.rows:
        row.apply(Config())
    assert study.pairs
    if name in ("lambda_gc", "lambda_sc", "gamma"):
        assert study.part == "validation"


def test_a_study_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "heads.yaml"
    path.write_text(YAML)
    study = read_study(str(path))
    assert study.part == "validation"
    assert study.row("eight").apply(Config()).model.sit.heads == 8
    assert study.pairs == (Comparison(part="more heads", without="four", with_it="eight"),)


def test_a_study_from_python(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(PYTHON)
    study = read_study(str(path))
    assert [row.name for row in study.rows] == ["m=2", "m=4"]
    assert study.pairs == (Comparison(part="m=4", without="m=2", with_it="m=4"),)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model.sit.heads: 8", "model.sit.head: 8", "did you mean 'heads'"),
        ("set: {model.sit.heads: 8}", "sets: {model.sit.heads: 8}", "'sets'"),
        ("with: eight", "with: nine", "its rows: four, eight"),
        ("name: eight", "name: four", "twice"),
        ("part: validation", "part: training", "test or validation"),
        ("compare:", "comparisons:", "'comparisons'"),
        ("rows:", "lines:", "'lines'"),
        ("name: sit heads", "name: [", "not YAML"),
        ("model.sit.heads: 8", "model.sit.heads: many", "must be an integer"),
    ],
)
def test_a_broken_study_says_what_and_where(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "heads.yaml"
    path.write_text(YAML.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        read_study(str(path))


def test_a_study_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="table2"):
        read_study("table4")
    with pytest.raises(ConfigError, match="no study file"):
        read_study(str(tmp_path / "none.yaml"))
    (tmp_path / "empty.py").write_text("STUDY = 3\n")
    with pytest.raises(ConfigError, match="must be a Study"):
        read_study(str(tmp_path / "empty.py"))
    with pytest.raises(ConfigError, match="drmn ablate"):
        StudyFolder(tmp_path).record()


def _request(study: Study, **changes) -> StudyRequest:
    base = Config().with_overrides({"data.dataset": "cub"})
    asked = {"name": "s", "study": study, "bases": {"cub": base}, "data_root": Path("/nowhere")}
    return StudyRequest(**{**asked, "seeds": [0], **changes})


def test_a_request_is_checked_first() -> None:
    study = known_study("table3")
    with pytest.raises(ConfigError, match="its rows: baseline"):
        _request(study, rows=["+SIT"])
    with pytest.raises(ConfigError, match="seeds"):
        _request(study, seeds=[])
    leaking = Config().with_overrides({"validation.protocol": "best-on-test"})
    with pytest.raises(ConfigError, match="best-on-test"):
        _request(study, bases={"cub": leaking})
    _request(replace(study, part="validation"), bases={"cub": leaking})


def test_later_commands_add_seeds_and_may_not_change_the_recipe() -> None:
    study = known_study("table3")
    request = _request(study)
    first, second = fake_record(study, [0, 1]), fake_record(study, [1, 2])
    joined = _joined(request, first, replace(second, commands=["drmn ablate again"]))
    assert joined.seeds == [0, 1, 2]
    assert len(joined.commands) == 2
    other = fake_record(study, [0], **{"training.epochs": 3})
    with pytest.raises(ConfigError, match=r"training.epochs 30 -> 3"):
        _joined(request, first, other)
    with pytest.raises(ConfigError, match="another study"):
        _joined(request, first, fake_record(known_study("table2"), [0]))


def test_a_record_and_its_results_read_back(tmp_path: Path) -> None:
    record = fake_record(known_study("table2"), [0])
    (tmp_path / "files").mkdir()
    folder = fake_study(tmp_path / "study", record, tmp_path / "files")
    assert folder.record() == record
    run = record.runs(["+DAB"])[0]
    key = run.training_key(record.splits["cub"])
    assert folder.result(key) == fake_result("cub", 0, run.config)
    assert folder.logged(key) == []
    folder.mark_logged(key, ["h"])
    assert folder.logged(key) == ["h"]


def test_a_training_without_its_result_is_not_done(tmp_path: Path) -> None:
    record = fake_record(known_study("table2"), [0])
    (tmp_path / "files").mkdir()
    folder = fake_study(tmp_path / "study", record, tmp_path / "files")
    key = record.runs()[0].training_key(record.splits["cub"])
    (folder.training(key) / "result.json").unlink()
    assert not folder.is_done(key)
    assert (folder.training(key) / "logits.parquet").exists()


def test_rows_that_share_a_training_share_their_search() -> None:
    study = known_study("paper")
    groups = rows_by_training(Config(), study.rows)
    assert len(groups) == 7
    assert [GLOBAL, ENSEMBLE] in groups


def test_what_was_tuned_comes_before_the_rows_own_settings() -> None:
    row = Variant(name="r", overrides={"loss.lambda_gc": 0.9})
    run = run_of(Config(), row, 2, {"loss.lambda_gc": 0.1, "loss.lambda_sc": 0.3})
    assert (run.config.loss.lambda_gc, run.config.loss.lambda_sc) == (0.9, 0.3)
    assert run.config.training.seed == 2
