from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drmn.config import ValidationConfig
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.splits import Split, test_split, validation_split
from drmn.errors import DataError


def made_up(num_seen: int, num_unseen: int, per_class: list[int]) -> Dataset:
    """No files: ``per_class[k]`` images of each class, of which the first is test_seen."""
    labels = np.repeat(np.arange(num_seen + num_unseen), per_class)
    first = np.concatenate([[True], labels[1:] != labels[:-1]])
    seen = labels < num_seen
    return Dataset(
        name="made-up",
        root=Path("nowhere"),
        image_paths=tuple(f"{row}.png" for row in range(len(labels))),
        labels=labels,
        class_names=tuple(f"class {k}" for k in range(num_seen + num_unseen)),
        attribute_names=("one", "two"),
        attributes=np.full((num_seen + num_unseen, 2), 0.5**0.5, dtype=np.float32),
        trainval=np.flatnonzero(seen & ~first),
        test_seen=np.flatnonzero(seen & first),
        test_unseen=np.flatnonzero(~seen),
        data_hash="0" * 16,
        split_hash="0" * 16,
    )


@st.composite
def shapes(draw: st.DrawFn) -> tuple[int, int, list[int]]:
    """Arguments of ``made_up``."""
    num_seen, num_unseen = draw(st.integers(2, 12)), draw(st.integers(1, 4))
    num = num_seen + num_unseen
    sizes = draw(st.lists(st.integers(3, 9), min_size=num, max_size=num))
    return num_seen, num_unseen, sizes


def fractions() -> st.SearchStrategy[float]:
    return st.floats(0.0, 1.0, allow_nan=False)


def check(dataset: Dataset, split: Split) -> None:
    """What must hold of every validation split."""
    parts = (split.train, split.eval_seen, split.eval_unseen)
    used = np.concatenate([part.rows for part in parts])
    np.testing.assert_array_equal(np.sort(used), dataset.trainval)
    test_rows = np.concatenate([dataset.test_seen, dataset.test_unseen])
    assert not np.isin(used, test_rows).any()
    np.testing.assert_array_equal(split.class_ids, np.unique(dataset.labels[dataset.trainval]))
    assert not np.isin(split.class_ids, dataset.labels[dataset.test_unseen]).any()
    for part in parts:
        np.testing.assert_array_equal(split.class_ids[part.labels], dataset.labels[part.rows])
    assert split.seen[split.train.labels].all()
    assert split.seen[split.eval_seen.labels].all()
    assert not split.seen[split.eval_unseen.labels].any()
    assert set(split.train.labels) == set(np.flatnonzero(split.seen))
    assert set(split.eval_unseen.labels) == set(np.flatnonzero(~split.seen))
    np.testing.assert_array_equal(split.attributes, dataset.attributes[split.class_ids])


@settings(max_examples=60, deadline=None)
@given(shapes(), fractions(), fractions(), st.integers(0, 20))
def test_no_test_image_is_ever_used(
    shape: tuple[int, int, list[int]], unseen: float, seen: float, fold: int
) -> None:
    dataset = made_up(*shape)
    config = ValidationConfig(unseen_class_fraction=unseen, seen_image_fraction=seen, fold=fold)
    split = validation_split(dataset, config)
    check(dataset, split)
    num_trained = len(split.class_ids) - int((~split.seen).sum())
    assert num_trained >= 1
    assert (~split.seen).sum() >= min(2, len(split.class_ids) - 1)
    counts = np.bincount(split.eval_seen.labels, minlength=len(split.seen))
    assert (counts[split.seen] >= 1).all()


@settings(max_examples=30, deadline=None)
@given(shapes(), fractions())
def test_folds_hold_out_disjoint_classes_until_all_had_their_turn(
    shape: tuple[int, int, list[int]], fraction: float
) -> None:
    dataset = made_up(*shape)

    def held_out(fold: int) -> set[int]:
        config = ValidationConfig(unseen_class_fraction=fraction, fold=fold)
        split = validation_split(dataset, config)
        return set(split.class_ids[~split.seen].tolist())

    num_classes = len(np.unique(dataset.labels[dataset.trainval]))
    num_folds = num_classes // len(held_out(0))
    folds = [held_out(fold) for fold in range(num_folds)]
    assert len(set.union(*folds)) == sum(map(len, folds))


def test_the_same_configuration_gives_the_same_split() -> None:
    dataset = made_up(8, 2, [6] * 10)
    one, again = (validation_split(dataset, ValidationConfig(fold=1)) for _ in range(2))
    assert one.hash == again.hash
    np.testing.assert_array_equal(one.train.rows, again.train.rows)
    hashes = {validation_split(dataset, ValidationConfig(fold=fold)).hash for fold in range(6)}
    assert len(hashes) == 6


def test_shares_are_those_configured() -> None:
    config = ValidationConfig(unseen_class_fraction=0.25, seen_image_fraction=0.2)
    split = validation_split(made_up(12, 3, [11] * 15), config)
    assert split.seen.sum() == 9
    assert len(split.eval_seen.rows) == 9 * 2
    assert len(split.train.rows) == 9 * 8


def test_a_class_with_one_image_stays_in_training() -> None:
    split = validation_split(made_up(4, 1, [2, 2, 2, 9, 3]), ValidationConfig())
    if split.seen[3]:
        assert set(split.eval_seen.labels) == {3}


@pytest.mark.parametrize(
    ("num_seen", "sizes", "message"),
    [(1, [5, 5], "1 class, but .* at least 2"), (3, [2, 2, 2, 5], "2 images")],
)
def test_too_little_to_hold_out(num_seen: int, sizes: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        validation_split(made_up(num_seen, 1, sizes), ValidationConfig())


def test_the_test_split_trains_on_all_of_trainval() -> None:
    dataset = made_up(5, 2, [4] * 7)
    split = test_split(dataset)
    assert split.protocol == "test"
    np.testing.assert_array_equal(split.train.rows, dataset.trainval)
    np.testing.assert_array_equal(split.eval_seen.rows, dataset.test_seen)
    np.testing.assert_array_equal(split.eval_unseen.rows, dataset.test_unseen)
    assert split.seen.tolist() == [True] * 5 + [False] * 2


def test_classes_without_images_are_left_out(layout: Any) -> None:
    layout.splits["test_unseen_loc"] = layout.splits["test_unseen_loc"][5:]
    split = test_split(load_dataset("tiny", layout.write()))
    assert split.class_names == ("class_1", "class_2", "class_3", "class_4", "class_6")
    assert set(split.eval_unseen.labels) == {4}


def test_selection_on_test_is_labelled_so() -> None:
    dataset = made_up(5, 2, [4] * 7)
    leaking = validation_split(dataset, ValidationConfig(protocol="best-on-test"))
    assert leaking.protocol == "best-on-test"
    assert leaking.hash != test_split(dataset).hash
    np.testing.assert_array_equal(leaking.eval_unseen.rows, dataset.test_unseen)


@pytest.mark.parametrize(
    "name", ["cub", "sun", "cifar-awa2", pytest.param("awa2", marks=pytest.mark.slow)]
)
def test_real_data_sets(real_dataset: Callable[[str], Dataset], name: str) -> None:
    dataset = real_dataset(name)
    splits = [validation_split(dataset, ValidationConfig(fold=fold)) for fold in range(3)]
    for split in splits:
        check(dataset, split)
    held_out = [set(split.class_ids[~split.seen]) for split in splits]
    assert not held_out[0] & held_out[1]
    assert len(test_split(dataset).class_ids) == len(dataset.class_names)


@pytest.mark.parametrize("name", ["cub", "sun", pytest.param("awa2", marks=pytest.mark.slow)])
def test_published_validation_parts_that_leak_are_refused(
    real_dataset: Callable[[str], Dataset], name: str
) -> None:
    dataset = real_dataset(name)
    message = rf"refused: train_loc and val_loc hold {len(dataset.test_seen)} test images"
    with pytest.raises(DataError, match=message):
        validation_split(dataset, ValidationConfig(source="published"))


def test_published_validation_parts_that_do_not_leak_are_used(
    real_dataset: Callable[[str], Dataset],
) -> None:
    dataset = real_dataset("cifar-awa2")
    split = validation_split(dataset, ValidationConfig(source="published"))
    check(dataset, split)
    assert (split.seen.sum(), (~split.seen).sum()) == (10, 4)
    assert (len(split.train.rows), len(split.eval_seen.rows)) == (4000, 1000)


def test_published_parts_must_be_there_and_disjoint_in_classes(layout: Any) -> None:
    dataset = load_dataset("tiny", layout.write())
    with pytest.raises(DataError, match="no usable train_loc and val_loc"):
        validation_split(dataset, ValidationConfig(source="published"))
    layout.splits |= {"train_loc": np.array([[2], [3]]), "val_loc": np.array([[4], [7]])}
    dataset = load_dataset("tiny", layout.write())
    with pytest.raises(DataError, match="none plays unseen"):
        validation_split(dataset, ValidationConfig(source="published"))
