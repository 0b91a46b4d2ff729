"""Curves from saved scores and logits: losses, trade-off, and sensitivity (Figs. 6 and 7)."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from drmn.accuracy import gzsl_accuracies
from drmn.calibration import seen_unseen_curve
from drmn.config import Config
from drmn.names import CZSL_TOP1, GZSL_AUSUC, GZSL_HARMONIC, GZSL_SEEN, GZSL_UNSEEN, LOSS_TOTAL
from orchestration.report.drawing import Picture, figure, legend_below, style
from orchestration.report.hovering import line_chart, shade
from orchestration.report.results import Cell, Results, Seed
from orchestration.report.tables import METRICS
from orchestration.study.statistics import Interval, t_interval
from search_spaces.paper import BETA

_NUM_BETAS = 41
_LEAST_FOR_T = 3
_MOST_POINTS = 300
"""Of a trade-off curve that a page carries for hovering."""


def learning_curves(cells: list[Cell]) -> Picture:
    """Total training loss per epoch: mean over seeds, and between which values they lie."""
    drawn, axes = figure(4.2)
    traces, said = [], []
    for index, cell in enumerate(cells):
        losses = _losses(cell)
        mean, low, high = losses.mean(axis=0), losses.min(axis=0), losses.max(axis=0)
        epochs = np.arange(1, len(mean) + 1)
        axes.plot(epochs, mean, label=cell.row, ms=4, **style(index))
        axes.fill_between(epochs, low, high, alpha=0.15, color=style(index)["color"], lw=0)
        said.append(f"{cell.row} {mean[0]:.2f} to {mean[-1]:.2f}")
        traces.append(_losses_trace(index, cell.row, losses))
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss (Eq. 11)")
    legend_below(drawn, 3)
    return Picture(
        figure=drawn,
        caption="Training loss: mean over seeds; from the lowest to the highest seed: bands, or by "
        "pointing. Rows with other loss terms differ in level. Evaluation images were not read "
        "before the last epoch, so there is no accuracy by epoch.",
        alt=f"Training loss from the first to the last epoch: {'; '.join(said)}.",
        chart=line_chart(traces, "epoch", "training loss (Eq. 11)"),
    )


def _losses(cell: Cell) -> Float[np.ndarray, "n E"]:
    histories = [seed.result.history for seed in cell.seeds.values()]
    length = min(len(history) for history in histories)
    return np.array([[h[e][LOSS_TOTAL] for e in range(length)] for h in histories])


def _losses_trace(index: int, row: str, losses: Float[np.ndarray, "n E"]) -> go.Scatter:
    return go.Scatter(
        x=np.arange(1, losses.shape[1] + 1),
        y=losses.mean(axis=0),
        customdata=np.stack([losses.min(axis=0), losses.max(axis=0)], axis=1),
        name=row,
        mode="lines+markers",
        marker=shade(index),
        line={"color": shade(index)["color"]},
        hovertemplate="epoch %{x}: %{y:.3f} (seeds %{customdata[0]:.3f} to %{customdata[1]:.3f})",
    )


def trade_off(cells: list[Cell]) -> Picture:
    """Seen against unseen accuracy over all offsets, and where Algorithm 1 stands on it."""
    drawn, axes = figure(4.6)
    traces, said = [], []
    for index, cell in enumerate(cells):
        curve = seen_unseen_curve(cell.first.logits)
        label = f"{cell.row} (AUSUC {cell.values(GZSL_AUSUC).mean():.3f})"
        unseen, seen = 100 * curve.unseen.numpy(), 100 * curve.seen.numpy()
        scores = cell.first.scores
        stands = (100 * scores[GZSL_UNSEEN], 100 * scores[GZSL_SEEN])
        shown = style(index)
        axes.plot(unseen, seen, color=shown["color"], lw=1.3)
        axes.plot(*stands, label=label, ls="", ms=8, mec="white", mew=0.4, **shown)
        traces += _trade_off_traces(index, label, (unseen, seen), stands)
        said.append(label)
    axes.set_xlabel("unseen accuracy U, per cent")
    axes.set_ylabel("seen accuracy S, per cent")
    legend_below(drawn, 2)
    return Picture(
        figure=drawn,
        caption="Seen-unseen trade-off of the attribute branch, first seed; markers: Algorithm 1 "
        "as configured. AUSUC: mean over seeds.",
        alt=f"Seen against unseen accuracy, a curve for every row: {'; '.join(said)}.",
        chart=line_chart(traces, "unseen accuracy U, per cent", "seen accuracy S, per cent"),
    )


def _trade_off_traces(
    index: int,
    label: str,
    curve: tuple[Float[np.ndarray, " M"], Float[np.ndarray, " M"]],
    stands: tuple[float, float],
) -> list[go.Scatter]:
    unseen, seen = curve
    kept = np.unique(np.linspace(0, len(seen) - 1, _MOST_POINTS).round().astype(int))
    unseen, seen = unseen[kept], seen[kept]
    harmonic = 2 * unseen * seen / np.maximum(unseen + seen, 1e-12)
    shared = {"legendgroup": label, "name": label}
    line = go.Scatter(
        x=unseen, y=seen, customdata=harmonic, mode="lines", showlegend=False,
        line={"color": shade(index)["color"], "width": 1.5},
        hovertemplate="U %{x:.1f}, S %{y:.1f}, H %{customdata:.1f}", **shared,
    )  # fmt: skip
    place = go.Scatter(
        x=[stands[0]], y=[stands[1]], mode="markers", marker={**shade(index), "size": 10},
        hovertemplate="Algorithm 1: U %{x:.1f}, S %{y:.1f}", **shared,
    )  # fmt: skip
    return [line, place]


def beta_curves(results: Results, cells: list[Cell], dataset: str) -> Picture | None:
    """Fig. 7: accuracy against beta, from saved logits alone."""
    with_global = [cell for cell in cells if cell.first.logits.g is not None]
    if not with_global:
        return None
    drawn, axes = figure()
    betas = np.linspace(0, 1, _NUM_BETAS)
    cell = with_global[-1]
    for index, (name, part) in enumerate((("H", "harmonic"), ("U", "unseen"), ("S", "seen"))):
        values = 100 * np.array(
            [[_at(seed, beta, part) for beta in betas] for seed in cell.seeds.values()]
        )
        shown = style(index)
        axes.plot(betas, values.mean(axis=0), label=name, markevery=5, ms=4, **shown)
        axes.fill_between(betas, values.min(axis=0), values.max(axis=0), alpha=0.2,
                          color=shown["color"], lw=0)  # fmt: skip
    configured, row = cell.first.run.config.inference.beta, f"row {cell.row}"
    if results.record.study.swept == BETA:  # the rows differ in nothing else
        base = Config.from_flat(results.record.bases[dataset])
        configured, row = base.inference.beta, "all rows"
    axes.axvline(configured, color="black", lw=0.8, ls="--")
    axes.set_xlabel("β (dashed: the configured one)")
    axes.set_ylabel("per cent")
    legend_below(drawn, 3)
    return Picture(
        figure=drawn,
        caption=f"Fig. 7: accuracy against β, {row}; bands: all seeds. No value was "
        "chosen from this figure.",
        alt="U, S and H as functions of beta, between the global branch alone and the attribute "
        "branch alone.",
    )


def swept_curve(results: Results, cells: list[Cell], dataset: str) -> Picture | None:
    """Fig. 6 and its like: scores against the setting that the study's rows differ in."""
    path = results.record.study.swept
    if path is None:
        return None
    values = [float(str(cell.first.run.config.flat()[path])) for cell in cells]
    drawn, axes = figure()
    for index, metric in enumerate((CZSL_TOP1, GZSL_HARMONIC)):
        found = [_spread(100 * cell.values(metric)) for cell in cells]
        means = np.array([each.mean for each in found])
        bars = np.array([[e.mean - e.low, e.high - e.mean] for e in found]).T
        shown = style(index)
        axes.errorbar(values, means, yerr=bars, label=METRICS[metric], capsize=3, **shown)
    axes.set_xlabel(path)
    axes.set_ylabel("per cent")
    legend_below(drawn, 2)
    return Picture(
        figure=drawn,
        caption=f"Accuracy against {path} on {dataset}; bars: 95 % t intervals over seeds, or, "
        f"with fewer than {_LEAST_FOR_T}, from the lowest to the highest.",
        alt=f"CZSL accuracy and H for {len(values)} values of {path}, "
        f"from {min(values):g} to {max(values):g}.",
    )


def _spread(values: Float[np.ndarray, " n"]) -> Interval:
    """Of two seeds a t interval says nothing: it may be as wide as the axis, or a point."""
    if len(values) >= _LEAST_FOR_T:
        return t_interval(values)
    return Interval(mean=float(values.mean()), low=float(values.min()), high=float(values.max()))


def _at(seed: Seed, beta: float, part: str) -> float:
    setting = replace(seed.run.config.inference, beta=float(beta), ensemble=True)
    return float(getattr(gzsl_accuracies(seed.logits, setting), part))
