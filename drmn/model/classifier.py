"""The classifiers: attribute scores (Eq. 7), hyperspherical logits (Eq. 8), the global branch."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from drmn.errors import ConfigError
from drmn.model.precision import at_least_float32
from drmn.model.products import linear
from drmn.model_config import GlobalBranchConfig


class AttributeClassifier(nn.Module):
    """W4 of Eq. 7, Xavier-uniform; shared by the features before and after the SIT.

    W4 folds into the prototypes: p_aT (W4 h_a) = (W4T p_a)T h_a by associativity, A*C*C
    multiplications per step in place of B*A*C*C, and no ``[B A C]`` tensor W4 h to store.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.w4 = nn.Parameter(torch.empty(channels, channels))
        nn.init.xavier_uniform_(self.w4)

    def probes(self, prototypes: Float[Tensor, "A C"]) -> Float[Tensor, "A C"]:
        """Row a is W4T p_a."""
        return linear(prototypes, self.w4.t())


def attribute_scores(
    h: Float[Tensor, "B A C"], probes: Float[Tensor, "A C"]
) -> Float[Tensor, "B A"]:
    """e of Eq. 7: probes_a . h_a, in at least float32."""
    return (at_least_float32(h) * at_least_float32(probes)).sum(dim=-1)


def hyperspherical_logits(
    e: Float[Tensor, "B A"], semantics: Float[Tensor, "K A"], gamma: float
) -> Float[Tensor, "B K"]:
    """o of Eq. 8: gamma^2 cos(z_c, e). A zero vector has cosine 0 with every other.

    Autocast is off: a cosine near 1 is what decides between two classes.
    """
    with torch.autocast(e.device.type, enabled=False):
        directions = F.normalize(at_least_float32(e), dim=-1)
        return gamma**2 * F.linear(directions, F.normalize(semantics, dim=-1).to(directions.dtype))


class GlobalBranch(nn.Module):
    """g of section 3.3: the average of the last stage, then one linear layer with bias.

    With ``classes="seen"`` the head has one row per seen class, and g is -inf elsewhere: softmax
    then gives unseen classes exactly 0.
    """

    seen_columns: Tensor

    def __init__(self, config: GlobalBranchConfig, channels: int, seen: Bool[Tensor, " K"]) -> None:
        super().__init__()
        self.num_classes = seen.numel()
        columns = seen.nonzero().squeeze(1) if config.classes == "seen" else torch.arange(len(seen))
        if columns.numel() == 0:
            raise ConfigError(
                "there is no seen class, but a seen-only global head needs >= 1",
                "set model.global_branch.classes=all",
            )
        self.register_buffer("seen_columns", columns, persistent=False)
        self.linear = nn.Linear(channels, columns.numel())

    def forward(self, last: Float[Tensor, "B H W C"]) -> Float[Tensor, "B K"]:
        scores = at_least_float32(self.linear(at_least_float32(last).mean(dim=(1, 2))))
        if self.linear.out_features == self.num_classes:
            return scores
        empty = scores.new_full((len(scores), self.num_classes), -torch.inf)
        return empty.index_copy(1, self.seen_columns, scores)
