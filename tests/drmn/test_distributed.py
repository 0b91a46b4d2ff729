"""Two processes against one: the same losses, gradients, weights and scores."""

import json

import distributed_runs
import pytest
import torch
from tiny_runs import ArraySource, tiny_config, tiny_split
from torch.multiprocessing.spawn import spawn

from drmn.distributed import ALONE, World, average_gradients, gather, launch
from drmn.errors import ConfigError
from drmn.training import Trainer

CPU = torch.device("cpu")


def test_shares_are_contiguous_and_cover_everything():
    for num_rows in range(8):
        shares = [range(7)[World(rank=rank, size=3).share(num_rows)] for rank in range(3)]
        assert [row for share in shares for row in share] == list(range(num_rows))[:7]
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_nothing_is_exchanged():
    local = torch.ones(2, 3, requires_grad=True)
    assert gather(local, ALONE) is local
    average_gradients([torch.nn.Parameter(local)], ALONE)
    assert ALONE.is_main and ALONE.share(5) == slice(0, 5)


def test_batch_norms_that_train_are_refused_on_cpus():
    config = tiny_config(model__fusion__norm_relu=True)
    with pytest.raises(ConfigError, match=r"2 processes on cpu train batch norms"):
        Trainer(config, tiny_split(), ArraySource(), world=World(size=2))


@pytest.mark.slow
def test_gathering_is_exact_forwards_and_backwards():
    launch(2, distributed_runs.check_gather)


@pytest.mark.slow
def test_a_failing_process_ends_the_others_and_is_reported():
    with pytest.raises(Exception, match=r"process \d cannot"):
        launch(2, distributed_runs.fail)


@pytest.mark.slow
def test_no_process_leaves_before_all_have_ended(tmp_path):
    spawn(distributed_runs.leave, (tmp_path,), nprocs=2)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert first["ended"] < second["ended"] < first["left"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        {"model__sit__dropout": 0.0},
        {"loss__preset": "dazle", "optimiser__clip_grad_norm": 0.5},
        {"model__sit__enabled": False, "model__global_branch__classes": "seen"},
    ],
    ids=["paper", "dropout-dazle-clipped", "seen-only"],
)
def test_two_processes_train_like_one(tmp_path, overrides):
    distributed_runs.run(ALONE, CPU, tmp_path, overrides)
    launch(2, distributed_runs.run, tmp_path, overrides)
    one, first, second = (
        torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("1-0", "2-0", "2-1")
    )
    for epoch in range(2):
        assert first["losses"][epoch] == pytest.approx(one["losses"][epoch], rel=1e-9, abs=1e-9)
    for part in ("gradients", "weights"):
        assert first[part].keys() == one[part].keys()
        for name, value in one[part].items():
            assert torch.equal(first[part][name], second[part][name]), name
            torch.testing.assert_close(first[part][name], value, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(first["o"], one["o"], rtol=1e-6, atol=1e-6)
    assert torch.equal(first["o"], second["o"])
    assert [p.name for p in (tmp_path / "checkpoints-2").iterdir()] == ["epoch-00002.ckpt"]
