"""The page of what was made to fail holds what was measured, and no other figure."""

from pathlib import Path

import jinja2
import pytest
import reliability


def test_the_page_is_what_the_results_give() -> None:
    assert reliability.PAGE.read_text() == reliability.page(), "python benchmarks/reliability.py"


def test_every_file_of_results_is_shown() -> None:
    sections = {path.name.partition("-")[2] for path in reliability.SECTIONS.iterdir()}
    results = {f"{path.stem}.md.j2" for path in reliability.RESULTS.iterdir()}
    assert results <= sections


def test_a_figure_that_was_not_measured_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "10-nothing.md.j2").write_text("{{ found.survived }} of 12")
    monkeypatch.setattr(reliability, "SECTIONS", tmp_path)
    with pytest.raises(jinja2.UndefinedError, match="survived"):
        reliability.page()
