"""Data-parallel training that means the same as training in one process.

Each of N processes holds all weights and computes B / N images of every batch. What couples the
images of a batch is computed on all of it: the SIT (Eqs. 5-6) sees the attribute features that
all processes gathered, and the losses (Eqs. 9-11) all their scores. So every process computes the
same loss L, once over.

Why the gradients are L's own: think of J, the sum of the N processes' losses, as one function of N
copies of the weights. Gathering's exact adjoint sums, over the processes, the gradient for the
rows that a process contributed, so that each process's backward pass gives J's gradient for its
copy. Tied together, the copies' gradients add up to J's, which is N L's; hence L's gradient is
their mean, taken by :func:`average_gradients` before clipping and stepping.

All processes draw the same random numbers (their seeds are equal), so the SIT's dropout falls
alike everywhere and as in one process. Batch norms that train take their statistics from all
processes too (:func:`synchronise_batch_norms`); frozen ones need none.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.multiprocessing.spawn import spawn
from torch.nn.modules.batchnorm import _BatchNorm

from drmn.errors import ConfigError
from drmn.model.network import DRMN, Scores

TIMEOUT_S = 600.0
"""A process that waits longer for the others fails."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Which of how many processes this one is."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def share(self, num_rows: int) -> slice:
        """This process's rows of ``num_rows``: contiguous shares, the first ones larger."""
        base, extra = divmod(num_rows, self.size)
        start = self.rank * base + min(self.rank, extra)
        return slice(start, start + base + (self.rank < extra))


ALONE = World()


@contextmanager
def joined(rank: int, size: int, meeting: Path, device: torch.device) -> Iterator[World]:
    """Membership of a group of ``size`` processes (NCCL on CUDA, else Gloo).

    Members that end well leave together: Gloo reports a peer that hangs up while the last
    exchange is still being read as a failure of that exchange.

    Args:
        meeting: a file, absent at first, that all of them can write.
    """
    backend = "nccl" if device.type == "cuda" else "gloo"
    wait = timedelta(seconds=TIMEOUT_S)
    store = dist.FileStore(str(meeting))  # type: ignore[attr-defined]
    dist.init_process_group(backend, store=store, timeout=wait, rank=rank, world_size=size)
    try:
        yield World(rank=rank, size=size)
        store.set(f"done/{rank}", "")
        store.wait([f"done/{member}" for member in range(size)], wait)
    finally:
        dist.destroy_process_group()


def launch(size: int, function: Callable[..., None], *args: Any, device_type: str = "cpu") -> None:
    """Run ``function(world, device, *args)`` in ``size`` new processes of this machine.

    On CUDA process r uses device r. Returns when all have ended; if one fails, the others are
    stopped and its error is raised. ``function`` and ``args`` must be picklable.
    """
    with tempfile.TemporaryDirectory(prefix="drmn-processes-") as folder:
        arguments = (size, Path(folder) / "meeting", device_type, function, args)
        spawn(_run_member, arguments, nprocs=size)  # type: ignore[no-untyped-call]


def _run_member(
    rank: int,
    size: int,
    meeting: Path,
    device_type: str,
    function: Callable[..., None],
    args: tuple[Any, ...],
) -> None:
    device = torch.device(device_type, rank) if device_type == "cuda" else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with joined(rank, size, meeting, device) as world:
        function(world, device, *args)


def gather(local: Float[Tensor, " b *rest"], world: World) -> Float[Tensor, " B *rest"]:
    """The rows of all processes, equal in number, in order of rank; differentiable."""
    if world.size == 1:
        return local
    gathered: Tensor = _Gather.apply(local, world)  # type: ignore[no-untyped-call]
    return gathered


class _Gather(torch.autograd.Function):
    """All-gather; backwards the sum over processes of the gradient for this one's rows."""

    @staticmethod
    def forward(ctx: FunctionCtx, local: Tensor, world: World) -> Tensor:
        ctx.rows = world.share(len(local) * world.size)  # type: ignore[attr-defined]
        parts = [torch.empty_like(local) for _ in range(world.size)]
        dist.all_gather(parts, local.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total[ctx.rows], None  # type: ignore[attr-defined]


def gather_scores(scores: Scores, world: World) -> Scores:
    """The scores of the whole batch on every process."""
    if world.size == 1:
        return scores
    present = {name: part for name, part in vars(scores).items() if part is not None}
    whole = gather(torch.cat(list(present.values()), dim=1), world)
    columns = whole.chunk(len(present), dim=1)
    return replace(scores, **dict(zip(present, columns, strict=True)))


def gather_rows(local: Float[Tensor, "n K"], num_rows: int, world: World) -> Float[Tensor, "N K"]:
    """The processes' shares (:meth:`World.share`) of ``num_rows`` rows put together again."""
    if world.size == 1:
        return local
    largest = -(-num_rows // world.size)
    padded = local.new_zeros(largest, local.shape[1])
    padded[: len(local)] = local
    parts = [torch.empty_like(padded) for _ in range(world.size)]
    dist.all_gather(parts, padded)
    shares = [replace(world, rank=rank).share(num_rows) for rank in range(world.size)]
    return torch.cat([p[: s.stop - s.start] for p, s in zip(parts, shares, strict=True)])


def average_gradients(parameters: Iterable[nn.Parameter], world: World) -> None:
    """Replace every gradient by its mean over the processes, in one exchange."""
    if world.size == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = nn.utils.parameters_to_vector(gradients)
    dist.all_reduce(flat)
    nn.utils.vector_to_parameters(flat / world.size, gradients)


def synchronise_batch_norms(network: nn.Module, world: World, device: torch.device) -> nn.Module:
    """``network`` with batch norms that train on statistics of all processes' images.

    Raises:
        ConfigError: there are such norms, and the processes run on CPUs.
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if world.size == 1 or not any(norm.training for norm in norms):
        return network
    if device.type != "cuda":
        raise ConfigError(
            f"{world.size} processes on {device.type} train batch norms (backbone.train other than "
            "'none', or model.fusion.norm_relu), but their statistics are shared on CUDA alone",
            "train in one process, or on CUDA devices",
        )
    return nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-any-return, no-untyped-call]


def couple_batch(model: DRMN, world: World) -> None:
    """Let the model's SIT attend over the images of all processes."""
    if world.size == 1 or model.sit is None:
        return
    model.sit.register_forward_pre_hook(lambda _, inputs: (gather(inputs[0], world),))
    model.sit.register_forward_hook(lambda _, __, out: out[world.share(len(out))])


def check_divisible(batch_size: int, world: World) -> None:
    """Shares of a batch are equal.

    Raises:
        ConfigError: they cannot be.
    """
    if batch_size % world.size:
        raise ConfigError(
            f"the batch of {batch_size} images (training.classes_per_batch x "
            f"training.images_per_class) is shared by {world.size} processes, but must be a "
            "multiple of their number",
            "change the number of processes rather than the batch: the SIT attends over it",
        )
