"""A study's report as a page, with all of its pictures."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from distributions import ATTRIBUTES, CLASSES, write_folder
from fault_matrix import Told, forked
from study_files import fake_record, fake_study

from orchestration.report.formats import Format
from orchestration.report.results import load_results
from orchestration.report.writing import write_report
from orchestration.settings import read_settings
from orchestration.study.catalogue import known_study
from orchestration.study.files import StudyFolder


class Pages:
    """The page holds its pictures, those of the data set's images too."""

    name, port = "page", 0

    def prepare(self, folder: Path) -> None:
        _reference()
        _study(folder)

    def work(self, folder: Path, told: Told) -> None:
        _write(StudyFolder(folder / "study"))
        told("page")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        page = folder / "study" / "report.html"
        if told or page.exists():
            assert page.read_bytes() == _reference(), "another page, or a part of one"

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["page"])
        assert not list((folder / "study").glob(".*"))


@cache
def _reference() -> bytes:
    """Drawn by a process of its own: nothing may draw before the attempts fork."""
    with TemporaryDirectory() as name:
        _study(Path(name))
        life = forked(lambda _: _write(StudyFolder(Path(name) / "study")))
        assert life.word == "done", life.text
        return (Path(name) / "study" / "report.html").read_bytes()


def _study(folder: Path) -> None:
    write_folder(folder / "MINE")
    (folder / "files").mkdir()
    record = replace(
        fake_record(known_study("table3"), [0], "mine"),
        data_root=str(folder),
        class_names={"mine": [*CLASSES, "ant", "bee", "cow", "doe"]},
        attribute_names={"mine": list(ATTRIBUTES)},
    )
    fake_study(folder / "study", record, folder / "files")


def _write(study: StudyFolder) -> None:
    settings = read_settings({"DRMN_HOME": "/nowhere"})
    write_report(load_results(study), study, Format.HTML, settings)
