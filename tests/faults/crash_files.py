"""The small files of a sweep and of a study, and a study's report."""

import json
from collections.abc import Sequence
from pathlib import Path

from crash_books import request
from fault_matrix import Told
from study_files import fake_record, fake_study

from drmn.variants import Variant
from orchestration.repair.tune_state import TuneStates
from orchestration.report.formats import Format
from orchestration.report.results import load_results
from orchestration.report.writing import write_report
from orchestration.request_file import REQUEST_FILE, load_request, write_request
from orchestration.settings import read_settings
from orchestration.stopping.budget import USAGE_FILE, Meter
from orchestration.stopping.driver import driver_of, driving
from orchestration.study.definition import Study
from orchestration.study.files import StudyFolder
from orchestration.watching.links import Links, load_links


class SweepFiles:
    """Lock, request, usage and links, as a driver writes them at its beginning."""

    name, port = "request", 0

    def prepare(self, folder: Path) -> None:
        pass

    def work(self, folder: Path, told: Told) -> None:
        with driving(folder, "s"):
            write_request(request(), folder)
            told("request")
            meter = Meter(folder / USAGE_FILE)
            meter.wall_h = 2.0
            meter.save()
            told("usage")
            Links(mlflow="m", ray="r", optuna="o").save(folder)

    def check(self, folder: Path, told: Sequence[str]) -> None:
        assert driver_of(folder) is None
        if "request" in told or (folder / REQUEST_FILE).exists():
            assert load_request(folder).num_trials == request().num_trials
        assert Meter(folder / USAGE_FILE).wall_h == 2.0 or "usage" not in told

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["request", "usage"])
        assert load_links(folder, read_settings({"DRMN_HOME": str(folder)})).mlflow == "m"
        names = {path.name for path in folder.iterdir()}
        assert names == {"driver.lock", "request.json", "usage.json", "links.json"}, names


STUDY = Study(
    name="parts",
    rows=(
        Variant(name="base", overrides={}),
        Variant(name="+x", overrides={"loss.lambda_sc": 0.5}),
    ),
)


class StudyFiles:
    """A study's record and trainings, and its report in three formats."""

    name, port = "study and report", 0

    def prepare(self, folder: Path) -> None:
        pass

    def work(self, folder: Path, told: Told) -> None:
        record = fake_record(STUDY, [0])
        (folder / "new").mkdir(exist_ok=True)
        study = fake_study(folder / "studies" / "s", record, folder / "new")
        told("study")
        settings = read_settings({"DRMN_HOME": str(folder)})
        for form in (Format.MARKDOWN, Format.CSV, Format.LATEX):
            write_report(load_results(study), study, form, settings)
            told(form.value)

    def check(self, folder: Path, told: Sequence[str]) -> None:
        study = StudyFolder(folder / "studies" / "s")
        if not study.exists:
            assert "study" not in told
            return
        record = study.record()
        for run in record.runs():
            key = run.training_key(record.splits[run.dataset])
            if "study" in told or study.is_done(key):
                assert study.result(key).config == run.config.flat()
                assert len(study.logits(key).labels)
        for form in told[1:]:
            assert (study.path / f"report.{form}").stat().st_size

    def check_end(self, folder: Path) -> None:
        self.check(folder, ["study", "md", "csv", "tex"])


class TuneState:
    """Tune's own state file, which a later driver corrects."""

    name, port = "tune state", 0

    def prepare(self, folder: Path) -> None:
        (folder / "s-1").mkdir()
        states = [({"status": "RUNNING", "relative_logdir": f"trial_{n:04d}"}, {}) for n in (0, 1)]
        content = {"trial_data": [[json.dumps(part) for part in each] for each in states]}
        (folder / "s-1" / "experiment_state-2026.json").write_text(json.dumps(content))

    def work(self, folder: Path, told: Told) -> None:
        TuneStates(str(folder), "s", 1).mend()
        told("mended")

    def check(self, folder: Path, told: Sequence[str]) -> None:
        assert len(TuneStates(str(folder), "s", 1).differences()) in ((0,) if told else (0, 2))

    def check_end(self, folder: Path) -> None:
        assert TuneStates(str(folder), "s", 1).differences() == []
