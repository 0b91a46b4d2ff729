import itertools

import numpy as np
import pytest

from drmn.data.sprites.species import ATTRIBUTES, GROUPS, NUM_UNSEEN, Species, all_species


@pytest.fixture(scope="module", params=[0, 1])
def species(request: pytest.FixtureRequest) -> tuple[Species, ...]:
    return all_species(request.param)


def test_forty_species_of_which_ten_are_unseen(species: tuple[Species, ...]) -> None:
    assert len({one.name for one in species}) == 40
    assert sum(not one.seen for one in species) == NUM_UNSEEN
    assert len(ATTRIBUTES) == len(set(ATTRIBUTES)) == 36


def test_strengths_of_a_group_are_shares(species: tuple[Species, ...]) -> None:
    for one in species:
        start = 0
        for group in GROUPS:
            total = one.strengths[start : start + len(group.options)].sum()
            assert total == pytest.approx(1.0, abs=1e-3) or (group.optional and 0.0 <= total < 1.0)
            start += len(group.options)


def test_species_differ(species: tuple[Species, ...]) -> None:
    for one, other in itertools.combinations(species, 2):
        assert np.abs(one.strengths - other.strengths).sum() > 1.5


def test_every_strong_attribute_of_an_unseen_species_is_seen_twice(
    species: tuple[Species, ...],
) -> None:
    strong = np.stack([one.strengths >= 0.65 for one in species])
    seen = np.array([one.seen for one in species])
    assert (strong[seen].sum(axis=0)[strong[~seen].any(axis=0)] >= 2).all()


def test_an_attribute_shows_as_often_as_its_strength_says(species: tuple[Species, ...]) -> None:
    rng = np.random.default_rng(0)
    looks = [set(species[0].realise(rng).values()) for _ in range(2000)]
    shares = np.array([sum(name in look for look in looks) for name in ATTRIBUTES]) / 2000
    np.testing.assert_allclose(shares, species[0].strengths, atol=0.05)
