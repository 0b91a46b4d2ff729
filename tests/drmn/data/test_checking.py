from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributions import write_folder

from drmn.data.checking import CheckReport, Severity, check_dataset
from drmn.data.dataset import Dataset
from drmn.data.literature import KNOWN_SPLITS


def _texts(report: CheckReport, severity: Severity) -> list[str]:
    return [finding.text for finding in report.findings if finding.severity is severity]


def _complete(layout: Any) -> Path:
    layout.draw()
    root: Path = layout.write()
    (layout.root / "attributes.txt").write_text("one\ntwo\nthree\nfour\n")
    return root


def test_a_good_data_set(layout: Any) -> None:
    calls: list[tuple[int, int]] = []
    report = check_dataset(
        "tiny", _complete(layout), progress=lambda done, total: calls.append((done, total))
    )
    assert (report.exit_code, report.findings, report.num_found) == (0, (), 30)
    assert calls[-1] == (30, 30)
    assert [fold["fold"] for fold in report.folds] == [0, 1, 2]
    assert len({str(fold["hash"]) for fold in report.folds}) == 3


def test_missing_and_broken_pictures_are_findings(layout: Any) -> None:
    root = _complete(layout)
    (layout.root / "images" / layout.tails[3]).unlink()
    (layout.root / "images" / layout.tails[4]).write_bytes(b"GIF89a")
    report = check_dataset("tiny", root)
    assert report.exit_code == 1
    assert report.missing == ("class_1/3.png",)
    assert [tail for tail, _ in report.broken] == ["class_1/4.png"]
    assert "1 of 30 images are missing: class_1/3.png" in _texts(report, Severity.WARNING)
    assert check_dataset("tiny", root, decode=False).broken == ()


def test_without_any_picture_it_is_unusable(layout: Any) -> None:
    report = check_dataset("tiny", layout.write())
    assert report.exit_code == 2
    assert "30 of 30 images are missing" in _texts(report, Severity.FATAL)[0]
    assert "called by number" in _texts(report, Severity.WARNING)[0]


def test_what_cannot_be_loaded_is_a_finding_too(tmp_path: Path) -> None:
    report = check_dataset("tiny", tmp_path)
    assert report.exit_code == 2
    assert "att_splits.mat" in _texts(report, Severity.FATAL)[0]


def test_a_split_of_our_own_is_said_to_be_one(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    report = check_dataset("mine", tmp_path)
    assert report.exit_code == 1
    assert "our own proposal" in _texts(report, Severity.WARNING)[0]


@pytest.mark.parametrize("name", ["cub", "sun", pytest.param("awa2", marks=pytest.mark.slow)])
def test_real_splits_are_known_by_hash(
    real_dataset: Callable[[str], Dataset], shared_data: Path, name: str
) -> None:
    assert "PS v2" in KNOWN_SPLITS[real_dataset(name).split_hash]
    report = check_dataset(name, shared_data / "xlsa17", decode=False)
    assert "would leak" in _texts(report, Severity.NOTE)[0]
    assert not any("none we know" in text for text in _texts(report, Severity.WARNING))
