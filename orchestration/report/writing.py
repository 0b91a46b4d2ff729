"""A report in the format that was asked for."""

from pathlib import Path

from drmn.atomic import replacing
from orchestration.report.cost import cost_table
from orchestration.report.formats import Format
from orchestration.report.latex import to_latex
from orchestration.report.notes import LEAKING, reading_notes
from orchestration.report.page import html_page
from orchestration.report.results import COMPARED, Results
from orchestration.report.shown import Shown
from orchestration.report.tables import (
    Table,
    difference_table,
    score_table,
    to_csv,
    to_markdown,
)
from orchestration.settings import Settings
from orchestration.study.files import StudyFolder


def write_report(
    results: Results,
    folder: StudyFolder,
    form: Format,
    settings: Settings,
    shown: Shown | None = None,
) -> Path:
    """``report.<format>`` in the study's folder.

    Raises:
        ConfigError: ``shown`` names what is not there.
    """
    path = folder.path / f"report.{form.value}"
    if form is Format.HTML:
        asked = shown or Shown()
        asked.check(results.record)
        text = html_page(results, folder, settings, asked)
    else:
        text = plain_report(results, form)
    with replacing(path) as temporary:
        temporary.write_text(text)
    return path


def plain_report(results: Results, form: Format) -> str:
    """The tables, in Markdown with their notes."""
    write = {Format.MARKDOWN: to_markdown, Format.CSV: to_csv, Format.LATEX: to_latex}[form]
    parts = []
    protocols = results.record.protocols
    for dataset in sorted(results.record.bases, key=lambda name: protocols[name] == LEAKING):
        if form is Format.MARKDOWN:
            parts += [f"## {dataset}\n", *(f"{n}\n" for n in reading_notes(results, dataset))]
        parts += [write(table) for table in _tables(results, dataset)]
    return "\n".join(parts)


def _tables(results: Results, dataset: str) -> list[Table]:
    if not results.rows(dataset):
        return []
    differences = [
        difference_table(results, dataset, metric)
        for metric in COMPARED
        if results.comparisons(dataset, metric)
    ]
    return [score_table(results, dataset), *differences, cost_table(results, dataset)]
