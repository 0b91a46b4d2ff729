"""Batches: their size, their classes, and what they depend on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drmn.config import TrainingConfig
from drmn.data.sampler import (
    EpisodicSampler,
    RandomSampler,
    Sampler,
    build_sampler,
    even_shares,
)
from drmn.errors import ConfigError

LABELS = np.repeat(np.arange(20), 10)


def _episodic(**settings: int) -> EpisodicSampler:
    return EpisodicSampler(LABELS, 16, 2, **settings)


def test_a_batch_has_as_many_classes_and_images_as_asked_for() -> None:
    for batch in _episodic().batches(0):
        classes, counts = np.unique(LABELS[batch], return_counts=True)
        assert batch.dtype == np.int64
        assert len(classes) == 16
        assert set(counts) == {2}
        assert len(set(batch)) == 32


def test_an_epoch_is_as_long_as_one_pass() -> None:
    assert len(_episodic()) == len(list(_episodic())) == -(-len(LABELS) // 32)
    assert len(list(_episodic(steps=3))) == 3


def test_with_fewer_classes_each_gives_more_images() -> None:
    labels = np.repeat(np.arange(11), 10)
    for batch in EpisodicSampler(labels, 16, 2).batches(0):
        assert len(batch) == len(set(batch)) == 32
        assert set(np.bincount(labels[batch])) == {2, 3}


def test_small_classes_leave_their_places_to_others() -> None:
    labels = np.array([0, 1, 1, 1, 1, 1, 1])
    (batch,) = EpisodicSampler(labels, 2, 3, steps=1).batches(0)
    assert sorted(np.bincount(labels[batch])) == [1, 5]
    assert len(set(batch)) == 6


def test_images_repeat_only_when_there_are_too_few() -> None:
    (batch,) = EpisodicSampler(np.array([0, 0, 1]), 2, 4, steps=1).batches(0)
    assert len(batch) == 8
    assert set(batch) == {0, 1, 2}
    assert np.bincount(batch).max() - np.bincount(batch).min() <= 1


@given(
    total=st.integers(1, 60),
    capacities=st.lists(st.integers(1, 9), min_size=1, max_size=8),
)
def test_shares_add_up_and_are_as_even_as_capacities_allow(
    total: int, capacities: list[int]
) -> None:
    shares = even_shares(total, capacities)
    assert sum(shares) == total
    if total <= sum(capacities):
        assert all(share <= capacity for share, capacity in zip(shares, capacities, strict=True))
        room = [s for s, c in zip(shares, capacities, strict=True) if s < c]
        assert not room or max(shares) - min(room) <= 1


@given(num_images=st.integers(1, 40), batch_size=st.integers(1, 12), seed=st.integers(0, 2**63 - 1))
def test_random_batches_pass_over_all_images(num_images: int, batch_size: int, seed: int) -> None:
    batches = list(RandomSampler(num_images, batch_size, seed=seed))
    assert {len(batch) for batch in batches} == {batch_size}
    counts = np.bincount(np.concatenate(batches), minlength=num_images)
    assert counts.max() - counts.min() <= 1
    assert all(len(set(batch)) == min(batch_size, num_images) for batch in batches)


@pytest.mark.parametrize("kind", ["episodic", "random"])
class TestEpochs:
    def _sampler(self, kind: str, seed: int = 5) -> Sampler:
        return build_sampler(TrainingConfig(sampler=kind, steps_per_epoch=4, seed=seed), LABELS)

    def test_an_epoch_depends_on_seed_and_number_alone(self, kind: str) -> None:
        one, other = self._sampler(kind), self._sampler(kind)
        list(one)
        np.testing.assert_array_equal(list(one), list(other.batches(1)))
        assert not np.array_equal(list(one.batches(0)), list(one.batches(1)))
        assert not np.array_equal(
            list(one.batches(0)), list(self._sampler(kind, seed=6).batches(0))
        )

    @pytest.mark.parametrize("done", [0, 1, 4, 6])
    def test_a_restored_sampler_goes_on(self, kind: str, done: int) -> None:
        one, other = self._sampler(kind), self._sampler(kind, seed=0)
        expected = [*one.batches(0), *one.batches(1), *one.batches(2)]
        stream = (batch for _ in range(3) for batch in one)
        for _ in range(done):
            next(stream)
        other.load_state_dict(one.state_dict())
        rest = [*other, *other] if done < 4 else [*other]
        np.testing.assert_array_equal(rest, expected[done : done + len(rest)])


def test_what_cannot_be_sampled_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 training images"):
        RandomSampler(0, 4)
    with pytest.raises(ConfigError, match="`steps` is 0"):
        RandomSampler(3, 4, steps=0)
