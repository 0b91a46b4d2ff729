"""Accuracy class by class, and which unseen classes are taken for each other."""

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Bool, Float

from drmn.inference import czsl_predict
from orchestration.report.drawing import OKABE_ITO, SEQUENTIAL, Chart, Picture, figure, legend_below
from orchestration.report.hovering import bar_chart
from orchestration.report.results import Cell

_SEEN, _UNSEEN = OKABE_ITO[0], OKABE_ITO[1]
_MOST_BARS = 60
"""Of the static figure; the one for a pointer has every class."""


def per_class(baseline: Cell, cell: Cell, names: list[str]) -> Picture:
    """Accuracy of every class under Algorithm 1: unseen ones first, better ones first."""
    values = 100 * cell.by_class(sorted(cell.seeds))
    before = 100 * baseline.by_class(sorted(baseline.seeds)).mean(axis=0)
    seen = cell.first.logits.seen.numpy()
    order = np.lexsort((-np.nan_to_num(values.mean(axis=0)), seen))
    order = order[~np.isnan(values[:, order]).any(axis=0)]
    shown = order[:_MOST_BARS]
    drawn, axes = figure(1.2 + 0.2 * len(shown))
    positions = np.arange(len(shown))[::-1]
    for colour, part, word in ((_UNSEEN, ~seen, "unseen"), (_SEEN, seen, "seen")):
        chosen = part[shown]
        axes.barh(positions[chosen], values.mean(axis=0)[shown][chosen], color=colour,
                  height=0.75, label=f"{cell.row}, {word} classes")  # fmt: skip
    for position, k in zip(positions, shown, strict=True):
        axes.plot(values[:, k], [position] * len(values), "|", color="black", ms=5)
    axes.plot(before[shown], positions, "D", mfc="white", mec="black", ms=4, ls="",
              label=baseline.row)  # fmt: skip
    axes.set_yticks(positions, [names[k] for k in shown], fontsize=9)
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xlabel("accuracy, per cent")
    legend_below(drawn, 2)
    cut = len(order) - len(shown)
    said = ", ".join(f"{names[k]} {values[:, k].mean():.0f}" for k in shown if not seen[k])
    return Picture(
        figure=drawn,
        caption=f"Accuracy by class, row {cell.row}, mean over seeds; its seeds: ticks, "
        "or by pointing at a bar."
        + (f" As a picture, the first {len(shown)} of {len(order)} classes." if cut else ""),
        alt=f"Bars of per-class accuracy; unseen classes, in per cent: {said}.",
        chart=_bars(baseline, cell, values[:, order], before[order], seen[order],
                    [names[k] for k in order]),
    )  # fmt: skip


def _bars(
    baseline: Cell,
    cell: Cell,
    values: Float[np.ndarray, "n K"],
    before: Float[np.ndarray, " K"],
    seen: Bool[np.ndarray, " K"],
    names: list[str],
) -> Chart:
    spread = np.stack([values.min(axis=0), values.max(axis=0)], axis=1)
    said = "%{y}: %{x:.1f} (seeds %{customdata[0]:.1f} to %{customdata[1]:.1f})"
    labels = np.array(names)
    bars = [
        go.Bar(
            x=values.mean(axis=0)[part], y=labels[part], customdata=spread[part], orientation="h",
            name=f"{cell.row}, {word} classes", marker_color=colour, hovertemplate=said,
        )
        for colour, part, word in ((_UNSEEN, ~seen, "unseen"), (_SEEN, seen, "seen"))
    ]  # fmt: skip
    marks = go.Scatter(
        x=before, y=labels, mode="markers", name=baseline.row, hovertemplate="%{y}: %{x:.1f}",
        marker={"symbol": "diamond-open", "color": "black", "size": 7},
    )  # fmt: skip
    return bar_chart([*bars, marks], "accuracy, per cent", len(names))


def confusion(cell: Cell, names: list[str]) -> Picture:
    """How unseen classes are taken for each other when only they may be answered."""
    seen = cell.first.logits.seen
    unseen = np.flatnonzero(~seen.numpy())
    shares = np.zeros((len(unseen), len(unseen)))
    for seed in cell.seeds.values():
        logits = seed.logits
        rows = ~seen[logits.labels]
        answers = czsl_predict(logits.o[rows], seen).numpy()
        labels = logits.labels[rows].numpy()
        np.add.at(shares, (np.searchsorted(unseen, labels), np.searchsorted(unseen, answers)), 1)
    shares = 100 * shares / shares.sum(axis=1, keepdims=True)
    size = len(unseen)
    drawn, axes = figure(1.6 + min(7.0, 0.42 * size))
    image = axes.imshow(shares, cmap=SEQUENTIAL, vmin=0, vmax=100, aspect="auto")
    if size <= 12:
        for i, j in np.ndindex(size, size):
            colour = "black" if shares[i, j] > 55 else "white"
            axes.text(j, i, f"{shares[i, j]:.0f}", ha="center", va="center", color=colour)
    labels_shown = [names[k] for k in unseen]
    axes.set_xticks(range(size), labels_shown, rotation=40, ha="right", fontsize=9)
    axes.set_yticks(range(size), labels_shown, fontsize=9)
    axes.set_xlabel("answer")
    axes.set_ylabel("class")
    drawn.colorbar(image, ax=axes, label="per cent of the class")
    said = ", ".join(f"{names[k]} {shares[i, i]:.0f}" for i, k in enumerate(unseen))
    return Picture(
        figure=drawn,
        caption=f"Confusion among unseen classes (CZSL), row {cell.row}, all seeds together.",
        alt=f"Confusion matrix of unseen classes; right, in per cent: {said}.",
    )
