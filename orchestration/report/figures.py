"""Figures from scores and logits: differences, curves, per-class accuracy, confusion."""

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes

from drmn.accuracy import gzsl_accuracies
from drmn.calibration import seen_unseen_curve
from drmn.inference import czsl_predict
from drmn.names import CZSL_TOP1, GZSL_AUSUC, GZSL_HARMONIC, GZSL_SEEN, GZSL_UNSEEN, LOSS_TOTAL
from orchestration.report.drawing import OKABE_ITO, SEQUENTIAL, Picture, figure, style
from orchestration.report.results import Cell, Compared, Results, Seed
from orchestration.report.tables import METRICS
from orchestration.study.statistics import t_interval

_NUM_BETAS = 41


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
    drawn.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    said = "; ".join(f"{c.comparison.part} {100 * c.test.difference.mean:+.1f}" for c in compared)
    return Picture(
        figure=drawn,
        caption=f"What each part changes in {METRICS[metric]}, paired by seed.",
        alt=f"Differences in {METRICS[metric]} with intervals, in points: {said}.",
    )


def learning_curves(cells: list[Cell]) -> Picture:
    """Total training loss per epoch, mean over seeds."""
    drawn, axes = figure()
    for index, cell in enumerate(cells):
        histories = [seed.result.history for seed in cell.seeds.values()]
        length = min(len(history) for history in histories)
        losses = np.array([[h[e][LOSS_TOTAL] for e in range(length)] for h in histories])
        epochs = range(1, length + 1)
        axes.plot(epochs, losses.mean(axis=0), label=cell.row, ms=4, **style(index))
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss (Eq. 11)")
    _legend(axes)
    return Picture(
        figure=drawn,
        caption="Training loss, mean over seeds. Rows with other loss terms differ in level.",
        alt="Training loss per epoch for every row; all fall and flatten.",
    )


def per_class(cell: Cell, names: list[str]) -> Picture:
    """Accuracy of every class under Algorithm 1, with the spread over seeds."""
    values = 100 * cell.by_class(sorted(cell.seeds))
    seen = cell.first.logits.seen.numpy()
    order = np.lexsort((-np.nan_to_num(values.mean(axis=0)), seen))[:60]
    drawn, axes = figure(0.9 + 0.2 * len(order))
    colours = [OKABE_ITO[0] if seen[k] else OKABE_ITO[1] for k in order]
    positions = np.arange(len(order))[::-1]
    axes.barh(positions, values.mean(axis=0)[order], color=colours, height=0.75)
    for position, k in zip(positions, order, strict=True):
        axes.plot(values[:, k], [position] * len(values), "|", color="black", ms=5)
    axes.set_yticks(positions, [names[k] for k in order], fontsize=9)
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlabel("accuracy, per cent (orange: unseen classes, blue: seen; ticks: seeds)")
    worst = ", ".join(names[k] for k in order if not seen[k] and values[:, k].mean() < 10)
    return Picture(
        figure=drawn,
        caption=f"Accuracy by class, row {cell.row}.",
        alt=f"Bars of per-class accuracy; unseen classes below 10 per cent: {worst or 'none'}.",
    )


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


def trade_off(cells: list[Cell]) -> Picture:
    """Seen against unseen accuracy over all offsets, and where Algorithm 1 stands on it."""
    drawn, axes = figure(4.2)
    for index, cell in enumerate(cells):
        curve = seen_unseen_curve(cell.first.logits)
        area = cell.values(GZSL_AUSUC).mean()
        shown = style(index)
        axes.plot(100 * curve.unseen, 100 * curve.seen, color=shown["color"], lw=1.3)
        axes.plot(
            100 * cell.first.scores[GZSL_UNSEEN], 100 * cell.first.scores[GZSL_SEEN],
            label=f"{cell.row} (AUSUC {area:.3f})", ls="", ms=8, mec="white", mew=0.4, **shown,
        )  # fmt: skip
    axes.set_xlabel("unseen accuracy U, per cent")
    axes.set_ylabel("seen accuracy S, per cent")
    _legend(axes)
    return Picture(
        figure=drawn,
        caption="Seen-unseen trade-off of the attribute branch, first seed; markers: Algorithm 1 "
        "as configured. AUSUC: mean over seeds.",
        alt="Seen accuracy against unseen accuracy for every row; larger areas are better.",
    )


def beta_curves(cells: list[Cell]) -> Picture | None:
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
    axes.axvline(cell.first.run.config.inference.beta, color="black", lw=0.8, ls="--")
    axes.set_xlabel("β (dashed: the configured one)")
    axes.set_ylabel("per cent")
    _legend(axes)
    return Picture(
        figure=drawn,
        caption=f"Fig. 7: accuracy against β, row {cell.row}; bands: all seeds. No value was "
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
        found = [t_interval(100 * cell.values(metric)) for cell in cells]
        means = np.array([each.mean for each in found])
        half = np.nan_to_num(np.array([each.high - each.mean for each in found]))
        shown = style(index)
        axes.errorbar(values, means, yerr=half, label=METRICS[metric], capsize=3, **shown)
    axes.set_xlabel(path)
    axes.set_ylabel("per cent")
    _legend(axes)
    return Picture(
        figure=drawn,
        caption=f"Accuracy against {path} on {dataset}; bars: 95 % t intervals over seeds.",
        alt=f"CZSL accuracy and H for {len(values)} values of {path}.",
    )


def _at(seed: Seed, beta: float, part: str) -> float:
    setting = replace(seed.run.config.inference, beta=float(beta), ensemble=True)
    return float(getattr(gzsl_accuracies(seed.logits, setting), part))


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
