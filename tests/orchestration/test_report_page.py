"""The page as a reader meets it: its text, and a browser's view of it at two widths."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from distributions import ATTRIBUTES, CLASSES, write_folder
from playwright.sync_api import Browser, Page
from study_files import fake_record, fake_study

from drmn.errors import ConfigError
from orchestration.report.formats import Format
from orchestration.report.results import load_results
from orchestration.report.shown import Shown
from orchestration.report.writing import write_report
from orchestration.settings import read_settings
from orchestration.study.catalogue import known_study
from orchestration.study.files import StudyFolder

pytestmark = pytest.mark.slow

SETTINGS = read_settings({"DRMN_HOME": "/nowhere"})

OVERFLOWING = """() => [...document.querySelectorAll("body *")].filter(each => {
  const box = each.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)
    && !each.parentElement.closest(".scroll, pre, svg") && each.id !== "js-plotly-tester";
}).map(each => each.tagName + "." + each.className)"""
WORDLESS = """() => [...document.querySelectorAll("img, .chart")].filter(
  each => ((each.alt || each.ariaLabel) || "").length < 20).length"""
DRAWN = """() => [...document.querySelectorAll("figure.hover")].every(
  each => each.querySelector(".chart .main-svg"))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    root = tmp_path_factory.mktemp("study")
    (root / "files").mkdir()
    record = fake_record(known_study("table2"), [0, 1, 2])
    return fake_study(root / "three", record, root / "files")


@pytest.fixture(scope="module")
def page_file(folder: StudyFolder) -> Path:
    return write_report(load_results(folder), folder, Format.HTML, SETTINGS)


class _Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "img":
            self.images.append(found)
        self.links += [str(found[name]) for name in ("src", "href") if name in found]
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_says_its_figures_in_words(
    page_file: Path, folder: StudyFolder
) -> None:
    text = page_file.read_text()
    found = _Elements(text)
    assert found.open == []
    assert len(found.images) >= 7
    assert all(len(image["alt"] or "") > 20 for image in found.images)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in found.links)
    assert not re.search(r"https?://", re.sub(r"<script>.*?</script>", "", text, flags=re.S))
    assert text.count("plotly.js v") == 1
    assert len(text) < 8e6
    for expected in ("drmn.git_sha", "drmn ablate --dataset cub", "node-a", "AUSUC", "Cost on"):
        assert expected in text
    assert write_report(load_results(folder), folder, Format.HTML, SETTINGS).read_text() == text


def _open(
    browser: Browser, file: Path, width: int, *, scripts: bool = True
) -> tuple[Page, list[str]]:
    page = browser.new_page(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
    told: list[str] = []
    page.on("request", lambda request: told.append(request.url))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda message: told.append(message.text))
    page.goto(file.as_uri(), timeout=60_000)
    return page, [each for each in told if each != file.as_uri()]


@pytest.mark.parametrize("width", [1400, 420])
def test_a_browser_shows_all_of_it_and_asks_for_nothing(
    browser: Browser, page_file: Path, width: int
) -> None:
    page, told = _open(browser, page_file, width)
    page.wait_for_function(DRAWN, timeout=60_000)
    assert page.locator("figure.hover").count() == 3
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(OVERFLOWING) == []
    assert page.evaluate(WORDLESS) == 0
    assert [each for each in told if not each.startswith(("data:", "blob:"))] == []
    page.close()


def test_without_scripts_the_static_figures_stand_there(browser: Browser, page_file: Path) -> None:
    page, _ = _open(browser, page_file, 1400, scripts=False)
    images = page.locator("figure.hover img")
    assert images.count() == 3
    assert all(images.nth(place).is_visible() for place in range(3))
    assert not page.locator("figure.hover .chart").first.is_visible()
    page.close()


def test_a_reader_chooses_classes_and_attributes_of_the_attention_maps(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    (tmp_path / "files").mkdir()
    names = [*CLASSES, "ant", "bee", "cow", "doe"]
    record = replace(
        fake_record(known_study("table3"), [0], "mine"),
        data_root=str(tmp_path),
        class_names={"mine": names},
        attribute_names={"mine": list(ATTRIBUTES)},
    )
    folder = fake_study(tmp_path / "mine", record, tmp_path / "files")

    def written(**asked: tuple[str, ...]) -> str:
        shown = Shown(**asked)
        results = load_results(folder)
        return write_report(results, folder, Format.HTML, SETTINGS, shown).read_text()

    chosen = "on images of unseen classes: dog: swims; dog: wings."
    assert chosen in written(classes=("dog",), attributes=("swims", "wings"))
    assert chosen not in written()
    with pytest.raises(ConfigError, match="has the attribute 'tusks'; mine: furry, wings, swims"):
        written(attributes=("tusks",))
    with pytest.raises(ConfigError, match=r"no image of 'owl' was kept .* cat, dog"):
        written(classes=("owl",))
    with pytest.raises(ConfigError, match="sweep"):
        written(sweeps=("none",))
