"""A study in MLflow's own pages, as a browser shows them: a tree, then five rows compared."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow_server import MlflowServer
from playwright.sync_api import Browser, Locator, Page, expect
from study_files import fake_record, fake_study

from drmn.names import GZSL_HARMONIC
from orchestration.settings import read_settings
from orchestration.study.catalogue import known_study
from orchestration.study.mlflow_runs import StudyOrigin, StudyRuns, known_scores
from orchestration.tracking import DataInput, Status, Tracker

pytestmark = pytest.mark.slow

FIELDS = {"name": "cub", "digest": "d-s", "source_type": "local", "source": "{}"}
DATA = DataInput(fields={**FIELDS, "schema": "", "profile": "{}"}, context="test")
SEEDS = [0, 1]
STUDY = "table2-cub"
COMPARED = ("baseline", "+DAB", "+SIT", "+global", "+ensemble")
HARMONIC = f"test/{GZSL_HARMONIC}"
PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    started = MlflowServer(tmp_path_factory.mktemp("server"))
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def harmonic(server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Mean H of each row of a study whose trainings are drawn, once MLflow has all of it."""
    root = tmp_path_factory.mktemp("study")
    (root / "files").mkdir()
    record = fake_record(known_study("table2"), SEEDS)
    folder = fake_study(root / STUDY, record, root / "files")
    settings = read_settings({"DRMN_HOME": str(root)})
    tracker = Tracker(replace(settings, tracking_uri=server.uri, artifact_root=None), "drmn", root)
    origin = StudyOrigin(
        name=STUDY,
        study=record.study,
        dataset="cub",
        protocol="test",
        data=DATA,
        tags={},
        own_tags={},
    )
    runs = StudyRuns(tracker, origin, record, {})
    for run in record.runs():
        key = run.training_key(record.splits["cub"])
        runs.log_seed(run, folder.result(key), folder.training(key))
    assert runs.close(Status.FINISHED) == ""
    known = known_scores(folder, record, "cub")
    return {
        row: sum(scores[seed][GZSL_HARMONIC] for seed in SEEDS) / len(SEEDS)
        for row, scores in known.items()
    }


@pytest.fixture
def page(browser: Browser, server: MlflowServer, harmonic: dict[str, float]) -> Iterator[Page]:
    assert harmonic
    opened = browser.new_page(viewport={"width": 1400, "height": 900})
    opened.set_default_timeout(PATIENCE_MS)
    opened.goto(f"{server.uri}/#/experiments/1/runs?workflowType=machine_learning")
    yield opened
    opened.close()


def test_five_rows_are_found_in_the_tree_and_compared(
    page: Page, harmonic: dict[str, float], kept_files: Path
) -> None:
    _close_assistant(page)
    _open_below(page, f"study {STUDY}")
    _open_below(page, "+SIT")
    expect(_row(page, "+SIT, seed 1")).to_be_visible()
    page.screenshot(path=kept_files / "mlflow-runs.png")
    _open_below(page, "+SIT")  # closes it: to choose an open row is to choose its seeds, too
    for name in COMPARED:
        _row(page, name).locator("input.ag-checkbox-input").check()
    page.get_by_role("button", name="Compare").click()
    page.set_viewport_size({"width": 1400, "height": 1500})
    plot = page.locator(".js-plotly-plot").first
    for shown in (HARMONIC, "model.fusion.enabled", "inference.ensemble"):
        expect(plot).to_contain_text(shown, timeout=PATIENCE_MS)
    assert plot.locator("path").count() > 0
    lines = page.locator("body").inner_text().splitlines()
    for name in COMPARED:
        assert name in lines
        assert str(round(harmonic[name], 3)) in lines
    for folded in ("Parameters", "Artifacts", "Tags"):
        page.get_by_role("button", name=folded, exact=True).click()
    page.screenshot(path=kept_files / "mlflow-compare.png")


def _close_assistant(page: Page) -> None:
    """A panel that MLflow opens beside the runs, which would hide columns."""
    expect(_row(page, f"study {STUDY}")).to_be_visible(timeout=PATIENCE_MS)
    close = page.locator('[data-component-id="mlflow.assistant.chat_panel.close"]')
    if close.count():
        close.click()


def _row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def _open_below(page: Page, name: str) -> None:
    _row(page, name).get_by_role("button").first.click()
