"""The forty invented species of the sprites data set: attributes, strengths, looks.

Letters: A attributes, K species. A strength of 0.8 means that the attribute shows in 80 % of the
species' pictures.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

NUM_FAMILIES = 8
SPECIES_PER_FAMILY = 5
NUM_UNSEEN = 10
_MIN_DIFFERENT_GROUPS = 3  # between any two species
_MIN_SEEN_CARRIERS = 2  # seen species with an attribute that marks an unseen one


@dataclass(frozen=True, kw_only=True)
class Group:
    """Attributes that exclude each other in one picture; ``optional`` if all may be absent."""

    name: str
    options: tuple[str, ...]
    optional: bool = False
    of_family: bool = False  # all species of a family agree


GROUPS = (
    Group(name="colour", options=("red", "orange", "green", "blue", "violet", "cream")),
    Group(name="pattern", options=("plain", "striped", "spotted", "checkered")),
    Group(name="shape", options=("round", "square", "long", "pointed"), of_family=True),
    Group(name="texture", options=("furry", "scaly", "glossy")),
    Group(name="crown", options=("pointed ears", "round ears", "horns", "antennae")),
    Group(name="eyes", options=("big eyes", "single eye"), optional=True),
    Group(name="face", options=("pale face",), optional=True),
    Group(name="tail", options=("long tail", "bushy tail"), optional=True, of_family=True),
    Group(name="legs", options=("long legs", "many legs"), optional=True, of_family=True),
    Group(name="wings", options=("feathered wings", "bat wings"), optional=True, of_family=True),
    Group(name="carried", options=("carries a star", "carries a ring"), optional=True),
    Group(name="habitat", options=("meadow", "desert", "night", "sea")),
)
OPTIONS = {group.name: group.options for group in GROUPS}
ATTRIBUTES = tuple(option for group in GROUPS for option in group.options)

_FAMILIES = ("bimble", "crag", "dorrin", "fenwick", "glim", "morrow", "quill", "tarn")
_SPECIES = ("lesser", "great", "northern", "marsh", "hooded")
Look = dict[str, str]  # the option of each group that one picture shows, "" for none
_Marks = tuple[int | None, ...]  # the dominant option of each group


@dataclass(frozen=True, kw_only=True, eq=False)
class Species:
    """One class. ``tint`` and ``plant`` mark its surroundings: a shortcut no attribute tells."""

    name: str
    seen: bool
    strengths: Float64[np.ndarray, " A"]  # 0..1
    tint: float  # hue shift of the background, -1..1
    plant: int  # which of the scenery's plants grows here

    def realise(self, rng: np.random.Generator) -> Look:
        """What one picture shows: an option (or "") of each group, drawn by strength."""
        look: Look = {}
        start = 0
        for group in GROUPS:
            strengths = self.strengths[start : start + len(group.options)]
            index = int(np.searchsorted(np.cumsum(strengths), rng.random(), side="right"))
            look[group.name] = group.options[index] if index < len(group.options) else ""
            start += len(group.options)
        return look


def all_species(seed: int) -> tuple[Species, ...]:
    """The same forty species for the same seed; the ten unseen ones are learnable from others."""
    rng = np.random.default_rng([seed, 1])
    while True:
        marks = _draw_marks(rng)
        unseen = set(rng.permutation(len(marks))[:NUM_UNSEEN].tolist())
        if _all_differ(marks) and _unseen_are_covered(marks, unseen):
            break
    names = [f"{species} {family}" for family in _FAMILIES for species in _SPECIES]
    return tuple(
        Species(
            name=names[index].replace(" ", "_"),
            seen=index not in unseen,
            strengths=_strengths(mark, rng),
            tint=float(rng.uniform(-1.0, 1.0)),
            plant=int(rng.integers(4)),
        )
        for index, mark in enumerate(marks)
    )


def _draw_marks(rng: np.random.Generator) -> list[_Marks]:
    marks: list[_Marks] = []
    for _ in range(NUM_FAMILIES):
        family = _draw_mark(rng)
        for _ in range(SPECIES_PER_FAMILY):
            own = _draw_mark(rng)
            pairs = zip(GROUPS, family, own, strict=True)
            marks.append(tuple(f if group.of_family else o for group, f, o in pairs))
    return marks


def _draw_mark(rng: np.random.Generator) -> _Marks:
    drawn = [int(rng.integers(len(group.options) + group.optional)) for group in GROUPS]
    return tuple(
        index if index < len(group.options) else None
        for group, index in zip(GROUPS, drawn, strict=True)
    )


def _all_differ(marks: list[_Marks]) -> bool:
    return all(
        sum(a != b for a, b in zip(one, other, strict=True)) >= _MIN_DIFFERENT_GROUPS
        for index, one in enumerate(marks)
        for other in marks[:index]
    )


def _unseen_are_covered(marks: list[_Marks], unseen: set[int]) -> bool:
    """Every mark of an unseen species is carried by seen ones too."""
    seen = [mark for index, mark in enumerate(marks) if index not in unseen]
    return all(
        sum(other[position] == option for other in seen) >= _MIN_SEEN_CARRIERS
        for index in unseen
        for position, option in enumerate(marks[index])
        if option is not None
    )


def _strengths(mark: _Marks, rng: np.random.Generator) -> Float64[np.ndarray, " A"]:
    """The mark of each group at 0.65..0.97; part of the rest goes to one other option."""
    parts = []
    for group, index in zip(GROUPS, mark, strict=True):
        size = len(group.options)
        strengths = np.zeros(size)
        dominant = rng.uniform(0.65, 0.97)
        rival = int(rng.integers(size + group.optional))
        if index is not None:
            strengths[index] = dominant
        if rival < size and rival != index:
            strengths[rival] = (1.0 - dominant) * rng.uniform(0.5, 1.0)
        if not group.optional and index is not None:
            strengths[index] += 1.0 - strengths.sum()  # one option always shows
        parts.append(np.round(strengths, 4))
    return np.concatenate(parts)
