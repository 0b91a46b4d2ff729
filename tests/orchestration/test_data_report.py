import json
from pathlib import Path

from distributions import write_folder
from rich.console import Console

from drmn.data.checking import check_dataset
from orchestration.data_report import print_report, report_as_json


def test_the_report_reads_as_tables_and_as_json(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    report = check_dataset("mine", tmp_path)
    console = Console(width=120)
    with console.capture() as captured:
        print_report(report, console)
    for word in ("verdict: usable, with findings", "our own proposal", "folder in"):
        assert word in captured.get()
    content = json.loads(json.dumps(report_as_json(report)))
    assert content["exit_code"] == 1
    assert content["images"]["found"] == 20
    assert content["splits"]["test_unseen"] == {"images": 5, "classes": 1}
    assert content["split_version"] == "none published for this data"
    assert content["attribute_names"] == ["furry", "wings", "swims"]


def test_what_cannot_be_loaded_has_a_report(tmp_path: Path) -> None:
    report = check_dataset("mine", tmp_path)
    console = Console(width=120)
    with console.capture() as captured:
        print_report(report, console)
    assert "verdict: unusable (exit code 2)" in captured.get()
    assert report_as_json(report)["exit_code"] == 2
