"""The losses, one function per equation.

A preset fixes three things of Eq. 9 together, because they only work together:

========== ============================== =============================== =================
preset     cross-entropy over             self-calibration                indicator
========== ============================== =============================== =================
paper      seen classes                   sum over unseen of -log p       0 seen, 1 unseen
paper_mean seen classes                   mean over unseen of -log p      0 seen, 1 unseen
dazle      all classes                    -log of the batch's mean        -1 seen, 1 unseen
                                          unseen probability mass
========== ============================== =============================== =================

With the SIT, L_AC is the mean over the 2B rows of the scores before and after it; with
``sit.loss_weight`` w the rows after it weigh w, that is (L_AC(o) + w L_AC(o_sit)) / (1 + w).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from drmn.config import Config, LossConfig, LossPreset
from drmn.model.network import Scores


@dataclass(frozen=True, kw_only=True, eq=False)
class Losses:
    """total = attribute + lambda_gc * global_; attribute holds lambda_sc * self_calibration."""

    total: Float[Tensor, ""]  # Eq. 11
    attribute: Float[Tensor, ""]  # L_AC, Eq. 9
    self_calibration: Float[Tensor, ""]  # Eq. 9's second term, before lambda_sc
    global_: Float[Tensor, ""]  # L_GC, Eq. 10; 0 without the global branch


def attribute_cross_entropy(
    o: Float[Tensor, "N K"],
    labels: Int[Tensor, " N"],
    seen: Bool[Tensor, " K"],
    preset: LossPreset,
    weights: Float[Tensor, " N"] | None = None,
) -> Float[Tensor, ""]:
    """First term of Eq. 9: cross-entropy over the seen classes (dazle: over all).

    ``weights`` of the rows sum to 1; None is the plain mean. An unseen label gives inf.
    """
    logits = o if preset == "dazle" else o.masked_fill(~seen, -torch.inf)
    return _mean(F.cross_entropy(logits, labels.long(), reduction="none"), weights)


def self_calibration(
    o: Float[Tensor, "N K"],
    seen: Bool[Tensor, " K"],
    preset: LossPreset,
    weights: Float[Tensor, " N"] | None = None,
) -> Float[Tensor, ""]:
    """Second term of Eq. 9, without lambda_sc: how little the batch believes in unseen classes."""
    unseen = ~seen
    indicator = unseen.to(o.dtype) - (seen.to(o.dtype) if preset == "dazle" else 0)
    log_p = (o + indicator).log_softmax(dim=1)[:, unseen]
    if preset == "dazle":
        return -_mean(log_p.exp().sum(dim=1), weights).log()
    per_image = -log_p.sum(dim=1)
    return _mean(per_image if preset == "paper" else per_image / log_p.shape[1], weights)


def attribute_loss(
    o: Float[Tensor, "N K"],
    labels: Int[Tensor, " N"],
    seen: Bool[Tensor, " K"],
    config: LossConfig,
    weights: Float[Tensor, " N"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """L_AC of Eq. 9, and its self-calibration term before lambda_sc."""
    calibration = self_calibration(o, seen, config.preset, weights)
    entropy = attribute_cross_entropy(o, labels, seen, config.preset, weights)
    return entropy + config.lambda_sc * calibration, calibration


def global_loss(g: Float[Tensor, "N K"], labels: Int[Tensor, " N"]) -> Float[Tensor, ""]:
    """L_GC of Eq. 10: cross-entropy over all columns of g (-inf columns have no part in it)."""
    return F.cross_entropy(g, labels.long())


def total_loss(
    scores: Scores, labels: Int[Tensor, " B"], seen: Bool[Tensor, " K"], config: Config
) -> Losses:
    """Eq. 11: L_AC + lambda_GC L_GC."""
    o, twice, weights = scores.o, labels, None
    if scores.o_sit is not None:
        o, twice = torch.cat([scores.o, scores.o_sit]), torch.cat([labels, labels])
        weights = _row_weights(scores.o, config.model.sit.loss_weight)
    attribute, calibration = attribute_loss(o, twice, seen, config.loss, weights)
    global_ = attribute.new_zeros(()) if scores.g is None else global_loss(scores.g, labels)
    total = attribute + config.loss.lambda_gc * global_
    return Losses(total=total, attribute=attribute, self_calibration=calibration, global_=global_)


def _row_weights(o: Float[Tensor, "B K"], loss_weight: float) -> Float[Tensor, " N"]:
    """Weights of the 2B rows: 1 before the SIT, ``loss_weight`` after it, scaled to sum to 1."""
    pair = o.new_tensor([1.0, loss_weight]) / (len(o) * (1.0 + loss_weight))
    return pair.repeat_interleave(len(o))


def _mean(values: Float[Tensor, " N"], weights: Float[Tensor, " N"] | None) -> Float[Tensor, ""]:
    return values.mean() if weights is None else (values * weights).sum()
