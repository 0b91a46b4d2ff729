"""Algorithm 1 (GZSL) and section 3.5 (CZSL) as functions of logits alone.

All arithmetic is float64 on the logits' own device, so that a decision depends on the logits and
on nothing else, and so that :mod:`drmn.calibration` can name the exact beta at which one changes.
Where scores tie, the class of the lowest index wins.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from drmn.config import InferenceConfig


def czsl_predict(o: Float[Tensor, "N K"], seen: Bool[Tensor, " K"]) -> Int[Tensor, " N"]:
    """The best unseen class: argmax of o over the unseen classes alone (section 3.5)."""
    return o.double().masked_fill(seen, -torch.inf).argmax(dim=1)


def first_prediction(
    o: Float[Tensor, "N K"], seen: Bool[Tensor, " K"], unseen_offset: float
) -> Int[Tensor, " N"]:
    """Algorithm 1's y1 = argmax(o + unseen_offset * 1[unseen])."""
    return (o.double() + unseen_offset * (~seen).double()).argmax(dim=1)


def ensemble_scores(
    o: Float[Tensor, "N K"], g: Float[Tensor, "N K"], beta: float
) -> Float[Tensor, "N K"]:
    """Algorithm 1's seen path: beta softmax(o) + (1 - beta) softmax(g), softmax over all K."""
    s, t = branch_probabilities(o, g)
    return beta * s + (1.0 - beta) * t


def branch_probabilities(
    o: Float[Tensor, "N K"], g: Float[Tensor, "N K"]
) -> tuple[Float[Tensor, "N K"], Float[Tensor, "N K"]]:
    """softmax(o), softmax(g) over all K classes; -inf (a seen-only head) becomes exactly 0."""
    return o.double().softmax(dim=1), g.double().softmax(dim=1)


def gzsl_predict(
    o: Float[Tensor, "N K"],
    g: Float[Tensor, "N K"] | None,
    seen: Bool[Tensor, " K"],
    config: InferenceConfig,
) -> Int[Tensor, " N"]:
    """Algorithm 1: y1 where y1 is unseen, else the ensemble's class.

    The ensemble runs over all K classes without the offset. Without it (``config.ensemble`` False,
    or no global branch) the answer is y1.

    With a seen-only head (g = -inf on unseen columns) and an offset >= 0 a seen y1 stays seen:
    y1 = c seen means o_c + 0 >= o_u + offset >= o_u for every unseen u, so softmax(o)_c >=
    softmax(o)_u; softmax(g) adds at least 0 to c and exactly 0 to u, and for beta = 0 some seen
    class has softmax(g) > 0. A tie (offset 0 only) goes to the lower index, in y1 as here.
    """
    y1 = first_prediction(o, seen, config.unseen_offset)
    if g is None or not config.ensemble:
        return y1
    y2 = ensemble_scores(o, g, config.beta).argmax(dim=1)
    return torch.where(seen[y1], y2, y1)
