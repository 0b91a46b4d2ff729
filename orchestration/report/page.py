"""The report as one HTML page that needs nothing else: no script, no font, no network."""

import html
import shlex
from collections.abc import Iterator

from drmn.data.dataset import Dataset, load_dataset
from drmn.errors import DataError
from drmn.names import CZSL_TOP1, GZSL_HARMONIC
from orchestration.report.drawing import Picture, html_figure
from orchestration.report.figures import (
    beta_curves,
    confusion,
    differences,
    learning_curves,
    per_class,
    swept_curve,
    trade_off,
)
from orchestration.report.importance import searches
from orchestration.report.maps import attention_maps, channel_weights
from orchestration.report.notes import LEAKING, reading_notes
from orchestration.report.results import Cell, Results
from orchestration.report.tables import Table, difference_table, score_table
from orchestration.settings import Settings
from orchestration.study.files import StudyFolder

_STYLE = """
:root { --ink: #1a1a1a; --rule: #d0d0d0; --accent: #0072B2; }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: #fff;
  max-width: 1260px; margin: 0 auto; padding: 1rem 1.2rem 4rem; overflow-wrap: anywhere; }
h1 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 2px solid var(--accent); }
.scroll { overflow-x: auto; } .scroll:focus { outline: 2px solid var(--accent); }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid var(--rule); text-align: right;
  white-space: nowrap; overflow-wrap: normal; }
th:first-child, td:first-child { text-align: left; }
caption { text-align: left; padding: .4rem 0; font-weight: 600; white-space: normal; }
figure { margin: 1.5rem 0; } img { max-width: none; height: auto; display: block; }
@media (min-width: 800px) { img { max-width: 100%; } }
figcaption { font-size: 14px; color: #444; margin-top: .4rem; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: 13px; }
.leaks { border: 3px solid #D55E00; padding: 0 1rem; }
"""


def html_page(results: Results, folder: StudyFolder, settings: Settings) -> str:
    """The whole page; data sets whose choices leaked from test come last, in a box."""
    record = results.record
    order = sorted(record.bases, key=lambda name: record.protocols[name] == LEAKING)
    sections = [part for name in order for part in _dataset(results, folder, settings, name)]
    title = f"Ablation study {results.name}"
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{html.escape(title)}</h1>",
            *sections,
            *_origin(results),
            "</body></html>\n",
        ]
    )


def html_table(table: Table) -> str:
    """A table that scrolls by itself where the page is narrow."""
    head = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in table.header)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>"
        for row in table.rows
    )
    caption = html.escape(table.caption)
    return (
        f"<p><b>{caption}</b></p>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _dataset(results: Results, folder: StudyFolder, settings: Settings, name: str) -> Iterator[str]:
    cells = results.rows(name)
    if not cells:
        return
    leaks = results.record.protocols[name] == LEAKING
    yield f'<section class="{"leaks" if leaks else "honest"}"><h2>{html.escape(name)}'
    yield " (best-on-test: not comparable with any other number)</h2>" if leaks else "</h2>"
    yield "".join(f"<p>{html.escape(note)}</p>" for note in reading_notes(results, name))
    yield html_table(score_table(results, name))
    for metric in (GZSL_HARMONIC, CZSL_TOP1):
        compared = results.comparisons(name, metric)
        if compared:
            yield html_figure(differences(compared, metric))
            yield html_table(difference_table(results, name, metric))
    for picture in _pictures(results, folder, name, cells):
        yield html_figure(picture)
    for picture in searches(results, settings, name):
        yield html_figure(picture)
    yield "</section>"


def _pictures(
    results: Results, folder: StudyFolder, name: str, cells: list[Cell]
) -> Iterator[Picture]:
    names = results.record.class_names[name]
    baseline, full = cells[0], cells[-1]
    found = [swept_curve(results, cells, name), beta_curves(cells)]
    yield from (picture for picture in found if picture is not None)
    yield trade_off(cells)
    yield per_class(full, names)
    yield confusion(full, names)
    yield learning_curves(cells)
    dataset = _images_at_hand(results, name)
    if dataset is not None:
        yield attention_maps(dataset, baseline, full, folder)
        weights = channel_weights(dataset, full, folder)
        if weights is not None:
            yield weights


def _images_at_hand(results: Results, name: str) -> Dataset | None:
    """The data set, where this machine has the one that was trained on."""
    try:
        return load_dataset(name, results.record.data_path)
    except DataError:
        return None


def _origin(results: Results) -> Iterator[str]:
    """Hashes, hosts and commands."""
    yield "<h2>Where this comes from</h2>"
    seeds = [seed for cell in results.cells.values() for seed in cell.seeds.values()]
    header = ["data set", "row", "seed", "configuration", "training", "minutes", "host"]
    rows = [
        [seed.run.dataset, seed.run.row, str(seed.run.seed), seed.run.config.hash(), seed.key,
         f"{seed.result.duration_s / 60:.1f}", seed.result.host]
        for seed in seeds
    ]  # fmt: skip
    yield html_table(
        Table(caption="Runs; those with one training share it", header=header, rows=rows)
    )
    tags = sorted({pair for seed in seeds for pair in seed.result.tags.items()})
    yield html_table(Table(caption="Hashes", header=["tag", "value"], rows=list(map(list, tags))))
    if results.record.tuned:
        tuned = [
            [where, ", ".join(f"{path}={value}" for path, value in found.items())]
            for where, found in results.record.tuned.items()
        ]
        yield html_table(Table(caption="Found by search", header=["row", "settings"], rows=tuned))
    report = shlex.join(["drmn", "report", results.name])
    commands = "\n".join([*results.record.commands, report])
    yield f"<h3>Commands</h3><pre>{html.escape(commands)}</pre>"
