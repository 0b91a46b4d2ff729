"""Randomness by name: every use has its own seed, derived from the run's seed and a label.

Nothing is drawn from a stream that another part also draws from, so a trainer's numbers depend
neither on what ran before it in the process nor on settings that draw nothing, and a resumed run
needs no generator's state: the epoch's number gives its seed again.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive_seed(seed: int, *labels: str | int) -> int:
    """63 bits that ``seed`` and ``labels`` determine: equal for equal, unrelated for others."""
    text = "/".join(map(str, (seed, *labels)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's generators (CPU and ``device``) start from ``seed``; after it they are as before."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
