"""What the processes of a distributed test do: importable by name in a new process."""

import functools
import json
import time
from pathlib import Path

import torch
from tiny_runs import ArraySource, tiny_config, tiny_split

from drmn.distributed import World, gather, gather_rows, joined
from drmn.names import LOSS_TOTAL
from drmn.training import Trainer


def run(world: World, device: torch.device, folder: Path, overrides: dict[str, object]) -> None:
    """Two epochs in float64; every process writes losses, last gradients, weights and scores."""
    torch.set_num_threads(1)
    source = ArraySource(torch.float64)
    trainer = Trainer(tiny_config(**overrides), tiny_split(), source, device, world=world)
    trainer.network.double()
    losses = [trainer.train_epoch(evaluate=False).metrics for _ in range(2)]
    gradients = {n: p.grad for n, p in trainer.network.named_parameters() if p.grad is not None}
    found = {
        "losses": [{n: v for n, v in m.items() if n.startswith("loss/")} for m in losses],
        "gradients": gradients,
        "weights": trainer.network.state_dict(),
        "o": trainer.evaluate().o,
    }
    torch.save(found, folder / f"{world.size}-{world.rank}.pt")
    trainer.save(folder / f"checkpoints-{world.size}")


def check_gather(world: World, device: torch.device) -> None:
    """gather is linear with an exact adjoint; uneven shares come together in order."""
    weight = torch.arange(4.0, device=device).view(4, 1)
    local = torch.full((2, 3), float(world.rank + 1), requires_grad=True)
    whole = gather(local, world)
    assert whole[:, 0].tolist() == [1.0, 1.0, 2.0, 2.0]
    (whole * weight * (world.rank + 1)).sum().backward()
    assert torch.equal(local.grad, 3.0 * weight[world.share(4)].expand(2, 3))
    rows = torch.arange(10.0).view(5, 2)
    assert torch.equal(gather_rows(rows[world.share(5)], 5, world), rows)


def compiled_equals_plain(world: World, device: torch.device) -> None:
    """training.compile changes losses by rounding alone; traced only, for speed."""
    torch.set_num_threads(1)
    torch.compile = functools.partial(torch.compile, backend="aot_eager")
    losses = []
    for choice in (False, True):
        config = tiny_config(training__compile=choice, model__sit__dropout=0.0)
        trainer = Trainer(config, tiny_split(), ArraySource(), device, world=world)
        epochs = [trainer.train_epoch().metrics for _ in range(2)]
        losses.append(torch.tensor([metrics[LOSS_TOTAL] for metrics in epochs]))
        assert set(trainer.state()["weights"]["model"]) == set(trainer.network.model.state_dict())
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=1e-5)


def leave(rank: int, folder: Path) -> None:
    """The first process has nothing left to do after an exchange, the second works on."""
    with joined(rank, 2, folder / "meeting", torch.device("cpu")) as world:
        gather_rows(torch.ones(2, 1), 4, world)
        if rank == 1:
            time.sleep(0.5)
        ended = time.monotonic()
    (folder / f"{rank}.json").write_text(json.dumps({"ended": ended, "left": time.monotonic()}))


def fail(world: World, _: torch.device) -> None:
    raise ValueError(f"process {world.rank} cannot")
