"""What a study's run, its rows and their seeds say of themselves."""

from collections.abc import Mapping

from orchestration.notes.writing import SCORES, code, note, number, table
from orchestration.seed_means import Scores, interval
from orchestration.study.definition import Study
from orchestration.study.statistics import plus_minus

Rows = Mapping[str, Scores]
"""Scores of each row's seeds that are done."""


def study_note(name: str, dataset: str, study: Study, protocol: str, rows: Rows) -> str:
    """The rows' means, in the study's order."""
    header = [f"{protocol}, %", "seeds", *SCORES.values()]
    found = {row.name: rows[row.name] for row in study.rows if row.name in rows}
    lines = [
        [row, str(len(scores)), *(plus_minus(interval(scores, metric)) for metric in SCORES)]
        for row, scores in found.items()
    ]
    return note(
        f"Study **{name}** ({study.name}) on {dataset}: {len(found)} of {len(study.rows)} rows "
        "have results. Mean over seeds ± half of the 95 % interval.",
        table(header, lines) if lines else "",
        f"`drmn report {name}` has the differences between rows, and what they are worth.",
    )


def row_note(study: Study, row: str, protocol: str, scores: Scores) -> str:
    """What the row sets, and each seed's scores."""
    overrides = study.row(row).overrides
    settings = [f"{code(path)} {number(value)}" for path, value in overrides.items()]
    lines = [[str(seed), *_percents(scores[seed])] for seed in sorted(scores)]
    means = [plus_minus(interval(scores, metric)) for metric in SCORES]
    return note(
        f"**{row}**: {', '.join(settings) or 'the recipe itself'}.",
        table([f"seed ({protocol}, %)", *SCORES.values()], [["mean", *means], *lines]),
    )


def seed_note(row: str, seed: int, protocol: str, scores: Mapping[str, float]) -> str:
    """One training's scores."""
    found = ", ".join(
        f"{shown} {percent}"
        for shown, percent in zip(SCORES.values(), _percents(scores), strict=True)
    )
    return f"**{row}**, seed {seed}, {protocol}: {found} %."


def _percents(scores: Mapping[str, float]) -> list[str]:
    return [f"{100 * scores[metric]:.1f}" for metric in SCORES]
