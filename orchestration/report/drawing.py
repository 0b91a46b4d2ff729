"""What all figures share: colours that colour-blind readers can tell apart, and embedding."""

import base64
import html
import io
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

OKABE_ITO = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
SEQUENTIAL = "cividis"

_WIDTH_INCHES = 5.8
_LEAST_AXES_INCHES = 1.16
_DOTS_PER_INCH = 150
_PIXELS_PER_INCH = 96


@dataclass(frozen=True, kw_only=True)
class Chart:
    """What a script draws in a figure's place: ``json`` holds Plotly's data and layout."""

    json: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure with its words: ``alt`` for those who cannot see it.

    With a ``chart``, a screen shows that one where scripts run; paper shows the figure.
    """

    figure: Figure
    caption: str
    alt: str
    chart: Chart | None = None


def style(index: int) -> dict[str, Any]:
    """Colour and marker of the ``index``-th series: told apart by either alone."""
    return {
        "color": OKABE_ITO[index % len(OKABE_ITO)],
        "marker": MARKERS[index % len(MARKERS)],
    }


def figure(height_inches: float = 3.6) -> tuple[Figure, Axes]:
    """A figure with one pair of axes."""
    drawn = Figure(figsize=(_WIDTH_INCHES, height_inches), layout="constrained")
    axes = drawn.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return drawn, axes


def legend_below(drawn: Figure, columns: int) -> None:
    """The legend of all axes, under them, where it covers nothing."""
    drawn.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=9)


def grid(rows: int, columns: int, height_inches: float) -> tuple[Figure, list[list[Axes]]]:
    """A figure with rows x columns of axes, wider where there are many."""
    width_inches = max(_WIDTH_INCHES, columns * _LEAST_AXES_INCHES)
    drawn = Figure(figsize=(width_inches, height_inches), layout="constrained")
    return drawn, [list(line) for line in drawn.subplots(rows, columns, squeeze=False)]


def png(drawn: Figure) -> bytes:
    """The picture as PNG, without a date, so that equal figures are equal bytes."""
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return file.getvalue()


def html_figure(picture: Picture) -> str:
    """A ``figure`` element that carries its own data."""
    data = base64.b64encode(png(picture.figure)).decode()
    width = int(picture.figure.get_figwidth() * _PIXELS_PER_INCH)
    alt = html.escape(picture.alt, quote=True)
    kind, chart = "still", ""
    if picture.chart is not None:
        kind = "hover"
        chart = (
            f'<div class="chart" role="img" aria-label="{alt}"></div>'
            f'<script type="application/json">{picture.chart.json}</script>'
        )
    return (
        f'<figure class="{kind}">{chart}<div class="scroll image" tabindex="0" role="region" '
        f'aria-label="figure, scrolls"><img style="width:{width}px" '
        f'src="data:image/png;base64,{data}" alt="{alt}"></div>'
        f"<figcaption>{html.escape(picture.caption)}</figcaption></figure>"
    )
