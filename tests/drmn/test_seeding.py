"""Named seeds, and global generators that are left as they were found."""

import torch

from drmn.seeding import derive_seed, seeded

CPU = torch.device("cpu")


def test_seeds_depend_on_every_label():
    seeds = {derive_seed(0), derive_seed(1), derive_seed(0, "epoch", 1), derive_seed(0, "epoch", 2)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_is_the_same_on_every_machine():
    assert derive_seed(0, "epoch", 1) == 123735704575244949


def test_the_generator_is_left_as_it_was():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    with seeded(1, CPU):
        first = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(1, CPU):
        assert torch.equal(torch.rand(3), first)
