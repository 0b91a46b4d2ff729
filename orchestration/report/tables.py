"""A study's tables as text cells, and these as Markdown or CSV. Numbers in per cent."""

import csv
import io
import math
from dataclasses import dataclass

from drmn.names import GZSL_HARMONIC
from orchestration.notes.writing import SCORES
from orchestration.report.paper_tables import PAPER_ROWS
from orchestration.report.results import Cell, Compared, Results
from orchestration.study.statistics import Interval, plus_minus

METRICS = SCORES


@dataclass(frozen=True, kw_only=True)
class Table:
    """A caption, a header and rows of text."""

    caption: str
    header: list[str]
    rows: list[list[str]]


def score_table(results: Results, dataset: str) -> Table:
    """Rows x metrics, mean ± 95 % half-width over seeds, beside the paper's."""
    papers = [dataset] if dataset in PAPER_ROWS else list(PAPER_ROWS)
    papers = [each for each in papers if _in_paper(results, each)]
    header = ["row", *METRICS.values(), "seeds", "minutes"]
    header += [f"paper, {each.upper()}: Acc/H" for each in papers]
    if dataset in papers:
        header.append("paper's H in ours?")
    rows = []
    for cell in results.rows(dataset):
        row = [cell.row, *(plus_minus(cell.interval(metric)) for metric in METRICS)]
        row += [str(len(cell.seeds)), f"{_minutes(cell):.1f}"]
        row += [_paper(each, cell.row) for each in papers]
        if dataset in papers:
            row.append(_inside(cell))
        rows.append(row)
    return Table(caption=_caption(results, dataset), header=header, rows=rows)


def difference_table(results: Results, dataset: str, metric: str) -> Table:
    """Comparisons: difference with both intervals, tests, effect size, seeds needed."""
    header = [
        "part", "rows", f"Δ{METRICS[metric]}", "95 % t", "95 % bootstrap", "p", "p (Holm)",
        "p (Wilcoxon)", "d", "g", "seeds needed", "verdict",
    ]  # fmt: skip
    rows = [_difference_row(each) for each in results.comparisons(dataset, metric)]
    return Table(
        caption=f"Differences in {METRICS[metric]} on {dataset}, points, paired by seed",
        header=header,
        rows=rows,
    )


def to_markdown(table: Table) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{table.caption}\n\n{body}\n"


def to_csv(table: Table) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows(table.rows)
    return file.getvalue()


def _difference_row(each: Compared) -> list[str]:
    pair, test = each.comparison, each.test
    limits = "identical" if each.identical else _limits(test.difference)
    tested = test.num_seeds > 1 and not each.identical
    return [
        pair.part,
        f"{pair.without} → {pair.with_it}",
        points(test.difference.mean),
        limits,
        _limits(each.bootstrap),
        *(_tests(each) if tested else ["–"] * 6),
        each.verdict,
    ]


def _tests(each: Compared) -> list[str]:
    test = each.test
    return [
        f"{test.p_value:.3f}",
        f"{each.p_holm:.3f}",
        f"{test.p_wilcoxon:.3f}",
        _number(test.effect_size),
        _number(test.hedges_g),
        "> 1000" if test.seeds_needed is None else str(test.seeds_needed),
    ]


def _limits(interval: Interval) -> str:
    if math.isnan(interval.low):
        return "one seed"
    return f"{points(interval.low)} to {points(interval.high)}"


def points(fraction: float) -> str:
    """Signed, in per cent; more decimals below 0.1, so that a limit's side of zero shows."""
    value = 100 * fraction
    for num_decimals in (1, 2, 3):
        if abs(value) >= 10**-num_decimals - 1e-12:
            return f"{value:+.{num_decimals}f}"
    return f"{value:+.4f}" if abs(value) >= 5e-5 else "0.0"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.2f}"


def _minutes(cell: Cell) -> float:
    return sum(seed.result.duration_s for seed in cell.seeds.values()) / 60


def _paper(dataset: str, row: str) -> str:
    found = PAPER_ROWS[dataset].get(row)
    return "–" if found is None else f"{found[0]:.1f}/{found[1]:.1f}"


def _inside(cell: Cell) -> str:
    found = PAPER_ROWS[cell.dataset].get(cell.row)
    if found is None:
        return "–"
    return "yes" if cell.interval(GZSL_HARMONIC).contains(found[1] / 100) else "no"


def _in_paper(results: Results, dataset: str) -> bool:
    return any(row.name in PAPER_ROWS[dataset] for row in results.record.study.rows)


def _caption(results: Results, dataset: str) -> str:
    protocol = results.record.protocols[dataset]
    return (
        f"{dataset}, {protocol} images, per cent, mean ± half-width of the 95 % t interval "
        "over seeds"
    )
