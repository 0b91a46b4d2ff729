"""The report from a study whose logits are known."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from study_files import fake_record, fake_study

from drmn.errors import ConfigError
from drmn.names import CZSL_TOP1, GZSL_HARMONIC
from orchestration.report.cost import cost_table
from orchestration.report.curves import beta_curves, swept_curve
from orchestration.report.formats import Format
from orchestration.report.importance import importances
from orchestration.report.results import Results, load_results
from orchestration.report.tables import (
    difference_table,
    plus_minus,
    points,
    score_table,
    to_csv,
    to_markdown,
)
from orchestration.report.writing import plain_report, write_report
from orchestration.settings import read_settings
from orchestration.study.catalogue import known_study
from orchestration.study.files import StudyFolder
from orchestration.study.statistics import Interval, t_interval

SETTINGS = read_settings({"DRMN_HOME": "/nowhere"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    root = tmp_path_factory.mktemp("study")
    (root / "files").mkdir()
    record = fake_record(known_study("table3"), [0, 1, 2])
    return fake_study(root / "three", record, root / "files")


@pytest.fixture(scope="module")
def results(folder: StudyFolder) -> Results:
    return load_results(folder)


def test_cells_hold_every_seed_and_their_interval(results: Results) -> None:
    cell = results.cells["cub", "+MFF"]
    values = cell.values(GZSL_HARMONIC)
    assert len(values) == 3
    assert cell.interval(GZSL_HARMONIC) == t_interval(values)
    assert np.nanmean(cell.czsl_by_class([1])) == pytest.approx(cell.values(CZSL_TOP1)[1])
    seen = cell.first.logits.seen.numpy()
    unseen = cell.by_class([0])[0, ~seen].mean()
    assert unseen == pytest.approx(cell.first.scores["gzsl_unseen"])


def test_differences_are_those_of_the_cells(results: Results) -> None:
    for metric in (GZSL_HARMONIC, CZSL_TOP1):
        for each in results.comparisons("cub", metric):
            pair = each.comparison
            with_it = results.cells["cub", pair.with_it].values(metric)
            without = results.cells["cub", pair.without].values(metric)
            mean = float((with_it - without).mean())
            assert each.test.difference.mean == pytest.approx(mean)
            assert each.bootstrap.mean == pytest.approx(mean)
            assert each.p_holm >= each.test.p_value


def test_the_table_stands_beside_the_papers(results: Results) -> None:
    table = score_table(results, "cub")
    assert [row[0] for row in table.rows] == ["baseline", "+MFF", "+ACA", "+DAB"]
    assert table.header[-2:] == ["paper, CUB: Acc/H", "paper's H in ours?"]
    assert table.rows[1][-2] == "79.7/73.3"
    assert {row[-1] for row in table.rows} <= {"yes", "no"}


def test_formats(results: Results) -> None:
    table = difference_table(results, "cub", GZSL_HARMONIC)
    assert to_markdown(table).count("\n| ") == len(table.rows) + 2
    assert len(to_csv(table).splitlines()) == len(table.rows) + 1
    assert plus_minus(Interval(mean=0.431, low=0.421, high=0.441)) == "43.1 ± 1.0"


def test_two_seeds_are_shown_by_their_range_and_the_recipes_beta_is_marked(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    record = fake_record(known_study("beta"), [0, 1], **{"inference.beta": 0.4})
    results = load_results(fake_study(tmp_path / "b", record, tmp_path / "files"))
    cells = results.rows("cub")
    swept, fig_7 = swept_curve(results, cells, "cub"), beta_curves(results, cells, "cub")
    assert swept is not None and fig_7 is not None
    values = 100 * cells[0].values(CZSL_TOP1)
    (bars,) = swept.figure.axes[0].containers[0].lines[2]
    assert bars.get_segments()[0][:, 1] == pytest.approx(sorted(values))
    assert list(fig_7.figure.axes[0].lines[-1].get_xdata()) == [0.4, 0.4]
    assert "all rows" in fig_7.caption


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lambda_gc", "beta"])
def test_a_sensitivity_study_is_a_curve(tmp_path: Path, name: str) -> None:
    (tmp_path / "files").mkdir()
    folder = fake_study(tmp_path / name, fake_record(known_study(name), [0]), tmp_path / "files")
    text = write_report(load_results(folder), folder, Format.HTML, SETTINGS).read_text()
    assert "Accuracy against" in text
    assert "no test image was read" in text


def test_cost_counts_a_shared_training_once(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    record = fake_record(known_study("table2"), [0, 1])
    folder = fake_study(tmp_path / "two", record, tmp_path / "files")
    rows = {row[0]: row[1:] for row in cost_table(load_results(folder), "cub").rows}
    assert rows["+global"] == ["2", "3", "0.2", "0.4", "0.00", "–"]
    assert rows["+ensemble"] == ["0", "3", "0.2", "0.0", "0.00", "+global"]
    assert rows["all"] == ["10", "", "", "2.0", "0.00", ""]


def test_one_seed_has_no_p_value(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    folder = fake_study(tmp_path / "s", fake_record(known_study("table3"), [0]), tmp_path / "files")
    for row in difference_table(load_results(folder), "cub", GZSL_HARMONIC).rows:
        assert row[5:11] == ["–"] * 6
        assert (row[3], row[11]) == ("one seed", "one seed")


def test_rows_that_agree_in_every_seed_are_identical_not_untold(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    record = fake_record(known_study("table2"), [0, 1, 2])
    results = load_results(fake_study(tmp_path / "s", record, tmp_path / "files"))
    rows = {row[0]: row for row in difference_table(results, "cub", CZSL_TOP1).rows}
    assert rows["ensemble"][2:4] == ["0.0", "identical"]
    assert rows["ensemble"][5:] == ["–"] * 6 + ["identical"]
    assert "identical" not in rows["DAB"]


@pytest.mark.parametrize(
    ("per_cent", "shown"),
    [
        (4.06, "+4.1"), (-0.1, "-0.1"), (-0.094, "-0.09"), (0.05, "+0.05"), (-0.004, "-0.004"),
        (-0.0002, "-0.0002"), (0.0, "0.0"), (-1e-14, "0.0"),
    ],
)  # fmt: skip
def test_a_small_difference_keeps_its_side_of_zero(per_cent: float, shown: str) -> None:
    assert points(per_cent / 100) == shown


def test_what_leaked_stands_last_in_a_box(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    leaking = fake_record(known_study("table3"), [0, 1])
    leaking.protocols["cub"] = "best-on-test"
    folder = fake_study(tmp_path / "leaks", leaking, tmp_path / "files")
    text = plain_report(load_results(folder), Format.MARKDOWN)
    assert "choices were made on the test images" in text
    assert "best-on-test images" in text


def test_a_study_without_results_says_so(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "new")
    folder.write_record(fake_record(known_study("table3"), [0]))
    with pytest.raises(ConfigError, match="0 results"):
        load_results(folder)


def test_missing_rows_and_seeds_leave_gaps_not_errors(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    record = fake_record(known_study("table3"), [0, 1, 2])
    folder = fake_study(tmp_path / "part", record, tmp_path / "files")
    for run in record.runs(["+MFF"]):
        (folder.training(run.training_key(record.splits["cub"])) / "result.json").unlink()
    lost = record.runs(["+ACA"])[0]
    (folder.training(lost.training_key(record.splits["cub"])) / "result.json").unlink()
    text = plain_report(load_results(folder), Format.MARKDOWN)
    assert "| +MFF |" not in text
    assert "different numbers of seeds" in text


def test_importance_finds_what_mattered() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda t: t.suggest_float("a", 0, 1) + 0 * t.suggest_float("b", 0, 1), 30)
    shares = importances(study)
    assert shares["a"] > 0.9
    assert sum(shares.values()) == pytest.approx(1.0)
