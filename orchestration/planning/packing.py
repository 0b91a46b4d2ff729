"""How many trials fit: on a GPU by measured memory, and in a machine's memory. Arithmetic alone."""

import math
from dataclasses import dataclass

from drmn.errors import ConfigError

HEADROOM = 1.2
"""A calibration sees two batches: a trial is granted a fifth more than they took."""
GPU_CONTEXT_BYTES = 600 << 20
"""What CUDA itself takes per process, which PyTorch does not count."""
MAX_PER_GPU = 16


@dataclass(frozen=True, kw_only=True)
class Node:
    """What one node has for trials."""

    cpus: float
    gpus: float
    memory_bytes: int


def gpu_share(peak_bytes: int, total_bytes: int) -> float:
    """The part of a GPU that one trial holds: 1/n for the n trials that fit, at most 16.

    Args:
        peak_bytes: most that PyTorch held in the calibration.
        total_bytes: of the GPU.

    Raises:
        ConfigError: not even one fits.
    """
    needed = HEADROOM * peak_bytes + GPU_CONTEXT_BYTES
    num_fitting = int(total_bytes // needed)
    if not num_fitting:
        raise ConfigError(
            f"a trial needs {needed / 1e9:.1f} GB of a GPU's memory (headroom included), but the "
            f"GPU has {total_bytes / 1e9:.1f} GB",
            "set training.precision=bf16, data.image_size or model.fusion.channels lower, or "
            "training.classes_per_batch lower, which changes what the SIT attends over",
        )
    return math.floor(1e4 / min(num_fitting, MAX_PER_GPU)) / 1e4


def check_share(share: float, peak_bytes: int, total_bytes: int) -> None:
    """Raise where a trial needs more than the share it was given.

    Raises:
        ConfigError: it does.
    """
    if share and share < gpu_share(peak_bytes, total_bytes):
        raise ConfigError(
            f"the value of `gpus` per trial is {share:g}, which is "
            f"{share * total_bytes / 1e9:.1f} GB, but a trial needs "
            f"{(HEADROOM * peak_bytes + GPU_CONTEXT_BYTES) / 1e9:.1f} GB, headroom included",
            f"give --gpus-per-trial {gpu_share(peak_bytes, total_bytes):g}, or auto",
        )


def trials_at_once(nodes: list[Node], *, cpus: float, gpus: float) -> int:
    """How many trials the nodes' CPUs and GPUs take; a trial lies on one node."""
    return sum(
        int(
            min(
                node.cpus / cpus + 1e-9,
                node.gpus / gpus + 1e-9 if gpus else math.inf,
            )
        )
        for node in nodes
    )


def trials_in_memory(nodes: list[Node], trial_bytes: int) -> int:
    """How many trials the nodes' memory holds.

    Raises:
        ConfigError: not one.
    """
    num_fitting = sum(node.memory_bytes // max(1, trial_bytes) for node in nodes)
    if num_fitting:
        return num_fitting
    largest = max((node.memory_bytes for node in nodes), default=0)
    raise ConfigError(
        f"a trial needs {trial_bytes / 1e9:.1f} GB of memory, but the largest node has "
        f"{largest / 1e9:.1f} GB for trials",
        "set data.image_size or model.fusion.channels lower, or add a node with more memory",
    )
