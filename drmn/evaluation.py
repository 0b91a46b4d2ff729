"""Scores of a split's evaluation part: in large batches, in float32 and without the SIT."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from drmn import names
from drmn.config import InferenceConfig
from drmn.data.splits import Split
from drmn.distributed import World, gather_rows
from drmn.logits import Logits
from drmn.metrics import score
from drmn.model.network import Scores
from drmn.pipeline import Inputs
from drmn.prefetch import Prefetch

BATCH_SIZE = 64
"""Images per step: a matter of memory, not of meaning, since images do not mix without the SIT."""


@runtime_checkable
class Evaluable(Protocol):
    """A network that reads its own inputs, such as :class:`drmn.pipeline.Pipeline`."""

    def read(self, rows: Int64[np.ndarray, " B"], /) -> Inputs: ...

    def eval(self) -> Any: ...

    def __call__(self, inputs: Inputs, /) -> Scores: ...


def evaluate(network: Evaluable, split: Split, world: World) -> Logits:
    """o and g of ``split``'s evaluation images, the seen part's first; on the CPU.

    The processes of ``world`` take a share each, and all get the whole. Leaves the network in
    evaluation mode.
    """
    parts = (split.eval_seen, split.eval_unseen)
    rows = np.concatenate([part.rows for part in parts])
    own = rows[world.share(len(rows))]
    batches = [own[start : start + BATCH_SIZE] for start in range(0, len(own), BATCH_SIZE)]
    network.eval()
    with torch.inference_mode():
        outputs = [_branches(network, inputs) for _, inputs in Prefetch(batches, network.read)]
        branches = gather_rows(torch.cat(outputs), len(rows), world)
    num_classes = len(split.seen)
    o, g = branches.cpu().clone().tensor_split([num_classes], dim=1)
    return Logits(
        o=o,
        g=g if g.shape[1] else None,
        labels=torch.from_numpy(np.concatenate([part.labels for part in parts])),
        seen=torch.from_numpy(split.seen),
    )


def phased_scores(logits: Logits, split: Split, config: InferenceConfig) -> dict[str, float]:
    """All metrics under their phase: ``test/`` for the final test, ``val/`` for what selects.

    With the protocol "best-on-test" the test images select, and their metrics are therefore
    ``val/``: it is the protocol's label that tells such numbers from honest ones.
    """
    phase: names.Phase = "test" if split.protocol == "test" else "val"
    found = score(logits, config)
    return {names.phased(phase, name): value for name, value in found.items()}


def _branches(network: Evaluable, inputs: Inputs) -> Float[Tensor, "B _"]:
    """o and, if there is one, g side by side: ``[B K]`` or ``[B 2K]``."""
    scores = network(inputs)
    return torch.cat([scores.o] if scores.g is None else [scores.o, scores.g], dim=1)
