"""The report as one HTML page that needs nothing else: no font, no network.

Scripts draw the charts that answer to a pointer; without them the static figures stand there.
"""

import html
from collections.abc import Iterable, Iterator

from orchestration.report.classes import confusion, per_class
from orchestration.report.cost import cost_table
from orchestration.report.curves import beta_curves, learning_curves, swept_curve, trade_off
from orchestration.report.drawing import Picture, html_figure
from orchestration.report.forest import differences
from orchestration.report.hovering import scripts
from orchestration.report.importance import row_searches, sweep_searches
from orchestration.report.maps import attention_figures
from orchestration.report.notes import LEAKING, reading_notes
from orchestration.report.origin import commands, origin_tables
from orchestration.report.page_style import POLICY, STYLE
from orchestration.report.results import COMPARED, Results
from orchestration.report.shown import Shown
from orchestration.report.tables import Table, difference_table, score_table
from orchestration.settings import Settings
from orchestration.study.files import StudyFolder


def html_page(results: Results, folder: StudyFolder, settings: Settings, shown: Shown) -> str:
    """The whole page; data sets whose choices leaked from test come last, in a box.

    Raises:
        ConfigError: ``shown`` names what is not there.
    """
    record = results.record
    order = sorted(record.bases, key=lambda name: record.protocols[name] == LEAKING)
    order = [name for name in order if results.rows(name)]
    sections = [_dataset(results, folder, settings, shown, name) for name in order]
    title = html.escape(f"Ablation study {results.name}")
    links = [*((f"data-{place}", name) for place, name in enumerate(order)), ("origin", "origin")]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{STYLE}</style></head><body><main>",
            f"<h1>{title}</h1>",
            "<nav>" + "".join(f'<a href="#{i}">{html.escape(n)}</a>' for i, n in links) + "</nav>",
            *(
                f'<section id="data-{place}" {_box(results, name)}>{section}</section>'
                for place, (name, section) in enumerate(zip(order, sections, strict=True))
            ),
            _titled("Searches", _figures(sweep_searches(shown.sweeps, settings)), level=2),
            _origin(results),
            "</main>",
            scripts(),
            "</body></html>\n",
        ]
    )


def html_table(table: Table, kind: str = "") -> str:
    """A table that scrolls by itself where the page is narrow."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in table.header)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>"
        for row in table.rows
    )
    caption = html.escape(table.caption)
    return (
        f"<p><b>{caption}</b></p>"
        f'<div class="scroll {kind}" tabindex="0" role="region" aria-label="{caption}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _dataset(
    results: Results, folder: StudyFolder, settings: Settings, shown: Shown, name: str
) -> str:
    cells = results.rows(name)
    baseline, full, names = cells[0], cells[-1], results.record.class_names[name]
    leaks = results.record.protocols[name] == LEAKING
    label = " (best-on-test: not comparable with any other number)" if leaks else ""
    return "".join(
        [
            f"<h2>{html.escape(name)}{label}</h2>",
            *(f"<p>{html.escape(note)}</p>" for note in reading_notes(results, name)),
            html_table(score_table(results, name)),
            _titled("Differences", _differences(results, name)),
            _titled("Curves", _figures(_curves(results, name))),
            _titled(
                "Classes", _figures([per_class(baseline, full, names), confusion(full, names)])
            ),
            _titled(
                "Attention", _figures(attention_figures(results, baseline, full, folder, shown))
            ),
            _titled("Hyperparameters", _figures(row_searches(results, settings, name))),
            _titled("Cost", html_table(cost_table(results, name))),
        ]
    )


def _differences(results: Results, name: str) -> str:
    found = {metric: results.comparisons(name, metric) for metric in COMPARED}
    drawn = _figures(differences(each, metric) for metric, each in found.items() if each)
    tables = (difference_table(results, name, metric) for metric, each in found.items() if each)
    return drawn + "".join(map(html_table, tables))


def _curves(results: Results, name: str) -> Iterator[Picture]:
    cells = results.rows(name)
    swept, beta = swept_curve(results, cells, name), beta_curves(results, cells, name)
    if swept is not None:
        yield swept
    yield trade_off(cells)
    if beta is not None:
        yield beta
    yield learning_curves(cells)


def _figures(pictures: Iterable[Picture]) -> str:
    drawn = "".join(map(html_figure, pictures))
    return f'<div class="figures">{drawn}</div>' if drawn else ""


def _titled(title: str, content: str, level: int = 3) -> str:
    """A heading and its content; nothing where there is none."""
    return f"<h{level}>{title}</h{level}>{content}" if content else ""


def _box(results: Results, name: str) -> str:
    return f'class="{"leaks" if results.record.protocols[name] == LEAKING else "honest"}"'


def _origin(results: Results) -> str:
    tables = "".join(html_table(table, "words") for table in origin_tables(results))
    typed = f'<pre tabindex="0">{html.escape(commands(results))}</pre>'
    return (
        f'<section id="origin"><h2>Where this comes from</h2>{tables}'
        f"<h3>Commands</h3>{typed}</section>"
    )
