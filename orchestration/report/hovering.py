"""Charts that answer to a pointer: Plotly's, each beside the static figure it falls back to.

A page carries the library once, whole (4.8 MB), and asks the network for nothing.
"""

from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from orchestration.report.drawing import OKABE_ITO, Chart

_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "star")
_HEIGHT, _PER_LEGEND_LINE, _PER_BAR = 430, 12, 22

_START = """
for (const figure of document.querySelectorAll("figure.hover")) {
  const chart = JSON.parse(figure.querySelector("script").textContent);
  figure.classList.add("drawn");
  const place = figure.querySelector(".chart");
  Plotly.newPlot(place, chart.data, chart.layout, {displaylogo: false, responsive: true})
    .then(() => new ResizeObserver(() => place.offsetWidth && Plotly.Plots.resize(place))
      .observe(place))
    .catch(() => figure.classList.remove("drawn"));
}
"""


def scripts() -> str:
    """What a page with charts needs, once, at its end."""
    return f"<script>{get_plotlyjs()}</script>\n<script>{_START}</script>"


def shade(index: int) -> dict[str, Any]:
    """Colour and symbol of the ``index``-th series, those of the static figures."""
    place = index % len(OKABE_ITO)
    return {"color": OKABE_ITO[place], "symbol": _SYMBOLS[place]}


def line_chart(traces: Iterable[go.Scatter], x_title: str, y_title: str) -> Chart:
    """Curves, their legend below."""
    found = list(traces)
    layout = _layout(_HEIGHT + _PER_LEGEND_LINE * len(found))
    layout.update(xaxis_title=_title(x_title), yaxis_title=_title(y_title))
    return Chart(json=_written(go.Figure(data=found, layout=layout)))


def bar_chart(traces: Iterable[go.Bar | go.Scatter], x_title: str, num_bars: int) -> Chart:
    """Horizontal bars, the first on top."""
    layout = _layout(140 + _PER_BAR * num_bars)
    layout.update(xaxis_title=_title(x_title), xaxis_range=[0, 100])
    layout.update(yaxis_autorange="reversed", yaxis_dtick=1)
    return Chart(json=_written(go.Figure(data=list(traces), layout=layout)))


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "font": {"size": 13}, "standoff": 8}


def _layout(height: int) -> go.Layout:
    return go.Layout(
        template="none",
        height=height,
        font={"size": 13, "color": "#1a1a1a"},
        margin={"l": 60, "r": 15, "t": 35, "b": 60},
        xaxis={"automargin": True, "gridcolor": "#e5e5e5", "zeroline": False},
        yaxis={"automargin": True, "gridcolor": "#e5e5e5", "zeroline": False},
        legend={"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        hovermode="closest",
    )


def _written(figure: go.Figure) -> str:
    text: str = figure.to_json()
    return text.replace("</", "<\\/")
