"""The differences between rows, drawn with their intervals."""

from orchestration.report.drawing import OKABE_ITO, Picture, figure, legend_below
from orchestration.report.results import Compared
from orchestration.report.tables import METRICS, points


def differences(compared: list[Compared], metric: str) -> Picture:
    """A forest plot: each comparison's difference with both intervals."""
    drawn, axes = figure(0.9 + 0.42 * len(compared))
    for index, each in enumerate(compared):
        y, test = len(compared) - index, each.test.difference
        axes.plot([100 * each.bootstrap.low, 100 * each.bootstrap.high], [y, y], lw=6,
                  color="#BBBBBB", solid_capstyle="butt", zorder=1,
                  label="95 % bootstrap, seeds x classes" if index == 0 else None)  # fmt: skip
        axes.plot([100 * test.low, 100 * test.high], [y, y], lw=2, color=OKABE_ITO[0],
                  label="95 % t, seeds" if index == 0 else None)  # fmt: skip
        axes.plot(100 * test.mean, y, "o", color=OKABE_ITO[1], zorder=3)
    axes.axvline(0, color="black", lw=0.8, ls="--")
    labels = [f"{c.comparison.part}" for c in compared]
    axes.set_yticks(range(len(compared), 0, -1), labels)
    axes.set_ylim(0.4, len(compared) + 0.6)
    axes.set_xlabel(f"difference in {METRICS[metric]}, points")
    legend_below(drawn, 2)
    said = "; ".join(f"{c.comparison.part} {points(c.test.difference.mean)}" for c in compared)
    return Picture(
        figure=drawn,
        caption=f"What each part changes in {METRICS[metric]}, paired by seed.",
        alt=f"Differences in {METRICS[metric]} with intervals, in points: {said}.",
    )
