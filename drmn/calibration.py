"""What a post-hoc constant can reach, exactly: the best beta, and the seen-unseen curve.

Both the ensemble weight beta and the unseen offset change an image's answer only at break points
that follow from its logits, so accuracy is piecewise constant in either. Sorting the break points
gives every value it can take in O(N K + N log N), with no grid and no further training.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from drmn.accuracy import gzsl_accuracies
from drmn.config import InferenceConfig
from drmn.inference import branch_probabilities, first_prediction
from drmn.logits import Logits

RESOLUTION = 1e-12
"""Narrower intervals of beta are not told apart, nor are values of H: float64 cannot."""

ONE = 2**50
"""An accuracy of 1 in the integers that running sums are kept in."""


@dataclass(frozen=True, kw_only=True)
class ExactBeta:
    """The best beta: the middle of the widest open interval over which H is maximal."""

    beta: float
    harmonic: float  # H at beta, as gzsl_accuracies gives it; 0..1
    interval: tuple[float, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenUnseenCurve:
    """Accuracy of argmax(o + offset 1[unseen]) for every offset, attribute branch alone.

    ``seen[m]`` and ``unseen[m]`` hold for offsets between ``offsets[m - 1]`` and ``offsets[m]``
    (from -inf, to +inf).
    """

    offsets: Float[Tensor, " M"]
    seen: Float[Tensor, " M+1"]
    unseen: Float[Tensor, " M+1"]

    @property
    def area(self) -> float:
        """AUSUC: seen accuracy integrated over unseen accuracy (trapezoids); 0..1."""
        return float(torch.trapezoid(self.seen, self.unseen))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Spans:
    """For each image, the open interval of the swept constant in which its answer is right."""

    low: Float[Tensor, " N"]
    high: Float[Tensor, " N"]  # equal to low, or below: nowhere

    def accuracies(
        self, logits: Logits, start: float, stop: float
    ) -> tuple[Float[Tensor, " M"], Float[Tensor, " M-1"], Float[Tensor, " M-1"]]:
        """Break points from ``start`` to ``stop``, and S and U in the open intervals between.

        Running sums are kept in integers, hence exact: the same images right give the same sum,
        by whichever way the sweep came there.
        """
        right = self.low < self.high
        points = [self.low[right].numpy(), self.high[right].numpy(), np.array([start, stop])]
        breaks = torch.from_numpy(np.unique(np.concatenate(points)))
        seen, unseen = (
            self._accuracy_between(breaks, logits.labels, part[logits.labels])
            for part in (logits.seen, ~logits.seen)
        )
        return breaks, seen, unseen

    def _accuracy_between(
        self, breaks: Float[Tensor, " M"], labels: Int[Tensor, " N"], part: Bool[Tensor, " N"]
    ) -> Float[Tensor, " M-1"]:
        low, high, labels = self.low[part], self.high[part], labels[part]
        right = low < high
        num_images = torch.bincount(labels)
        weights = (ONE / num_images.double()).round().long()[labels[right]]
        change = torch.zeros(len(breaks), dtype=torch.int64)
        change.index_add_(0, torch.searchsorted(breaks, low[right]), weights)
        change.index_add_(0, torch.searchsorted(breaks, high[right]), -weights)
        num_classes = max(int((num_images > 0).sum()), 1)
        return change.cumsum(0)[:-1].double() / (ONE * num_classes)


def exact_beta(logits: Logits, unseen_offset: float = 1.0, *, ensemble: bool = True) -> ExactBeta:
    """The beta in [0, 1] that maximises Algorithm 1's harmonic mean, with no grid.

    y1 does not depend on beta. Of an image on the seen path, class y beats class c where the line
    beta (s_y - s_c) + (1 - beta) (t_y - t_c) is positive (s, t the branches' softmax): a half-line,
    and so the betas that answer y form one interval. The classes' weights, added where an image's
    interval starts and taken away where it ends, give S and U between any two break points.

    Only open intervals are considered: at a break point itself two classes tie, and the answer
    would hang on their order. Without the ensemble, or without a global branch, beta is 1: the
    same answers as y1 wherever the offset is not negative.

    Raises:
        DataError: no image of a seen, or of an unseen, class.
    """
    setting = InferenceConfig(unseen_offset=unseen_offset, ensemble=ensemble)
    left, right, beta = 0.0, 1.0, 1.0
    if ensemble and logits.g is not None:
        spans = _beta_spans(logits, unseen_offset)
        breaks, seen, unseen = spans.accuracies(logits, 0.0, 1.0)
        left, right = _widest_best(breaks, seen, unseen)
        beta = (left + right) / 2
    harmonic = gzsl_accuracies(logits, replace(setting, beta=beta)).harmonic
    return ExactBeta(beta=beta, harmonic=harmonic, interval=(left, right))


def seen_unseen_curve(logits: Logits) -> SeenUnseenCurve:
    """Seen and unseen accuracy as the unseen offset sweeps the reals (calibrated stacking).

    An image answers its best seen class while the offset is below the gap between its best seen
    and its best unseen score, and its best unseen class above it.
    """
    o = logits.o.double()
    best_seen = o.masked_fill(~logits.seen, -torch.inf).max(dim=1)
    best_unseen = o.masked_fill(logits.seen, -torch.inf).max(dim=1)
    gap = best_seen.values - best_unseen.values
    below, above = best_seen.indices == logits.labels, best_unseen.indices == logits.labels
    spans = _Spans(low=gap.masked_fill(below, -torch.inf), high=gap.masked_fill(above, torch.inf))
    breaks, seen, unseen = spans.accuracies(logits, -torch.inf, torch.inf)
    return SeenUnseenCurve(offsets=breaks[1:-1], seen=seen, unseen=unseen)


def _beta_spans(logits: Logits, unseen_offset: float) -> _Spans:
    """Where in [0, 1] beta gives each image's label; all or nothing where y1 is unseen."""
    assert logits.g is not None
    y1 = first_prediction(logits.o, logits.seen, unseen_offset)
    s, t = branch_probabilities(logits.o, logits.g)
    low, high = _label_wins(s, t, logits.labels)
    fixed = ~logits.seen[y1]
    right = (y1 == logits.labels).double()
    return _Spans(low=low.masked_fill(fixed, 0.0), high=torch.where(fixed, right, high))


def _label_wins(
    s: Float[Tensor, "N K"], t: Float[Tensor, "N K"], labels: Int[Tensor, " N"]
) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"]]:
    """The interval of beta in [0, 1] in which beta s + (1 - beta) t is largest at the label."""
    label = labels[:, None]
    start = t.gather(1, label) - t  # at beta = 0
    slope = s.gather(1, label) - s - start
    crossing = -start / slope  # used only where the slope is not 0
    low = crossing.masked_fill(slope <= 0, 0.0).amax(dim=1).clamp(min=0.0)
    high = crossing.masked_fill(slope >= 0, 1.0).amin(dim=1).clamp(max=1.0)
    loses_ties = label > torch.arange(s.shape[1])
    lost = (slope == 0) & ((start < 0) | ((start == 0) & loses_ties))
    return low, high.masked_fill(lost.any(dim=1), 0.0)


def _widest_best(
    breaks: Float[Tensor, " M"], seen: Float[Tensor, " M-1"], unseen: Float[Tensor, " M-1"]
) -> tuple[float, float]:
    width = breaks.diff()
    harmonic = 2 * seen * unseen / (seen + unseen).clamp(min=RESOLUTION)
    harmonic = harmonic.masked_fill(width <= RESOLUTION, -1.0)
    best = harmonic >= harmonic.max() - RESOLUTION
    index = int(width.masked_fill(~best, -1.0).argmax())
    return float(breaks[index]), float(breaks[index + 1])
