"""Semantic interaction transformer (SIT, Eqs. 5-6): one sequence of all B*A attribute features."""

from jaxtyping import Float
from torch import Tensor, nn

from drmn.errors import ConfigError
from drmn.model.dropout import dropout
from drmn.model.products import Linear
from drmn.model.streamed_attention import attention
from drmn.model_config import SitConfig

MAX_HEAD_CHANNELS = 256
"""Fused attention kernels on CUDA stop here; beyond it the N*N map would be stored."""


class SemanticInteractionTransformer(nn.Module):
    """One post-norm transformer encoder layer over the sequence of B*A tokens.

    Every token attends to every attribute of every image of the batch, so the batch size is part
    of the layer's meaning. Equal to ``nn.TransformerEncoderLayer(norm_first=False)`` with ReLU,
    and initialised like it: Xavier-uniform input projection, zero attention biases.

    Raises:
        ConfigError: heads do not divide C, or leave more than 256 channels to each.
    """

    def __init__(self, config: SitConfig, channels: int) -> None:
        super().__init__()
        _check_heads(config.heads, channels)
        self.heads = config.heads
        self.dropout = config.dropout
        self.attention_dropout = (
            config.dropout if config.attention_dropout is None else config.attention_dropout
        )
        width = config.feedforward or channels
        self.query_key_value = Linear(channels, 3 * channels)
        self.output = Linear(channels, channels)
        self.widen = Linear(channels, width)
        self.narrow = Linear(width, channels)
        self.norm_attention = nn.LayerNorm(channels)
        self.norm_feedforward = nn.LayerNorm(channels)
        nn.init.xavier_uniform_(self.query_key_value.weight)
        nn.init.zeros_(self.query_key_value.bias)
        nn.init.zeros_(self.output.bias)

    def forward(self, h: Float[Tensor, "B A C"]) -> Float[Tensor, "B A C"]:
        tokens = h.flatten(0, 1)
        attended: Tensor = self.norm_attention(self._drop(self._attend(tokens)) + tokens)
        mixed: Tensor = self.norm_feedforward(self._drop(self._mix(attended)) + attended)
        return mixed.view_as(h)

    def _attend(self, tokens: Float[Tensor, "N C"]) -> Float[Tensor, "N C"]:
        """MHSA of Eq. 5; tokens are split into heads as ``[heads N C/heads]``."""
        heads = self.query_key_value(tokens).unflatten(1, (3, self.heads, -1)).permute(1, 2, 0, 3)
        query, key, value = heads.unbind(0)
        mixed = attention(query, key, value, self.attention_dropout if self.training else 0.0)
        joined: Tensor = self.output(mixed.transpose(0, 1).flatten(1))
        return joined

    def _mix(self, tokens: Float[Tensor, "N C"]) -> Float[Tensor, "N C"]:
        """MLP of Eq. 6."""
        narrowed: Tensor = self.narrow(self._drop(self.widen(tokens).relu()))
        return narrowed

    def _drop(self, x: Float[Tensor, "N C"]) -> Float[Tensor, "N C"]:
        return dropout(x, self.dropout, training=self.training)


def _check_heads(heads: int, channels: int) -> None:
    if channels % heads:
        raise ConfigError(
            f"the value of `model.sit.heads` is {heads}, but must divide the fused width "
            f"C = {channels}",
            "set model.sit.heads to a divisor of C",
        )
    if channels // heads > MAX_HEAD_CHANNELS:
        raise ConfigError(
            f"the value of `model.sit.heads` is {heads}, which leaves {channels // heads} channels "
            f"to each head, but fused attention works with <= {MAX_HEAD_CHANNELS}",
            f"set model.sit.heads to at least {-(-channels // MAX_HEAD_CHANNELS)}",
        )
