from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from drmn.data.dataset import Dataset, load_dataset
from drmn.data.literature import PUBLISHED
from drmn.errors import DataError

Damage = Callable[[Any], None]


def test_a_tiny_layout(layout: Any) -> None:
    dataset = load_dataset("tiny", layout.write())
    assert dataset.name == "tiny"
    assert dataset.root.name == "TINY"
    assert dataset.image_paths == tuple(layout.tails)
    assert dataset.labels.tolist() == [k for k in range(6) for _ in range(5)]
    assert dataset.class_names[0] == "class_1"
    assert dataset.attribute_names == tuple(f"attribute {n}" for n in range(1, 5))
    assert (len(dataset.trainval), len(dataset.test_seen), len(dataset.test_unseen)) == (16, 4, 10)
    np.testing.assert_allclose(np.linalg.norm(dataset.attributes, axis=1), 1.0, rtol=1e-6)
    ratio = dataset.attributes / layout.splits["att"].T
    np.testing.assert_allclose(ratio, ratio[:, :1].repeat(4, axis=1), rtol=1e-5)


@pytest.mark.parametrize("name", ["my-set", "MY_SET", "My_Set"])
def test_letter_case_and_dashes_do_not_matter(
    tmp_path: Path, make_tiny: Callable[..., Any], name: str
) -> None:
    root = make_tiny(tmp_path / "My_Set").write()
    assert load_dataset(name, root).name == "my-set"
    assert load_dataset(name, root / "My_Set").root == (root / "My_Set").resolve()


def test_order_within_a_split_changes_no_hash(layout: Any) -> None:
    before = load_dataset("tiny", layout.write())
    layout.splits["trainval_loc"] = layout.splits["trainval_loc"][::-1]
    after = load_dataset("tiny", layout.write())
    assert after.split_hash == before.split_hash
    np.testing.assert_array_equal(after.trainval, before.trainval)


def test_hashes_tell_contents_apart(layout: Any) -> None:
    before = load_dataset("tiny", layout.write())
    layout.splits["att"][0, 0] *= 2
    other_attributes = load_dataset("tiny", layout.write())
    layout.splits["trainval_loc"] = layout.splits["trainval_loc"][1:]
    other_split = load_dataset("tiny", layout.write())
    assert other_attributes.data_hash != before.data_hash == before.data_hash.lower()
    assert other_attributes.split_hash == before.split_hash != other_split.split_hash
    assert len(before.data_hash) == len(before.split_hash) == 16


def set_at(group: str, name: str, index: Any, value: Any) -> Damage:
    def damage(layout: Any) -> None:
        variable = getattr(layout, group)[name]
        variable[index] = value

    return damage


def replace(group: str, name: str, value: Callable[[Any], Any]) -> Damage:
    def damage(layout: Any) -> None:
        variables = getattr(layout, group)
        variables[name] = value(variables[name])

    return damage


def drop(group: str, name: str) -> Damage:
    return lambda layout: getattr(layout, group).pop(name)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (set_at("rows", "labels", 17, 0), r"res101.mat: `labels` row 17 is 0, .* 1\.\.6"),
        (set_at("rows", "labels", 3, 7), r"`labels` row 3 is 7"),
        (set_at("rows", "labels", 3, 1.5), r"`labels` row 3 is 1.5, but must be a whole number"),
        (set_at("rows", "labels", 3, np.nan), r"`labels` row 3 is nan"),
        (replace("rows", "labels", lambda v: v[:-1]), r"`labels` has 29 rows, .* has 30"),
        (set_at("rows", "image_files", 4, "images/../x.png"), r"`image_files` row 4: .*'\.\.'"),
        (set_at("rows", "image_files", 4, " "), r"`image_files` row 4 is empty"),
        (set_at("rows", "image_files", 4, "images/class_1/0.png"), r"row 4 repeats row 0"),
        (replace("rows", "image_files", np.size), r"`image_files` holds int64 "),
        (drop("rows", "labels"), r"res101.mat has no variable `labels`"),
        (drop("splits", "trainval_loc"), r"att_splits.mat has no variable `trainval_loc`"),
        (set_at("splits", "att", (2, 3), np.nan), r"`att` row 2, column 3 is nan"),
        (set_at("splits", "att", (2, 3), np.inf), r"`att` row 2, column 3 is inf"),
        (set_at("splits", "att", (slice(None), 1), 0), r"`att` column 1 is all zero"),
        (replace("splits", "att", lambda v: v.T), r"`att` is 6 x 4, .*6 classes[^.]*transpose it"),
        (set_at("splits", "allclasses_names", 2, "class_1"), r"row 2 repeats row 0: 'class_1'"),
        (set_at("splits", "test_seen_loc", 0, 31), r"`test_seen_loc` row 0 is 31, .* 1\.\.30"),
        (set_at("splits", "test_seen_loc", 1, 1), r"`test_seen_loc` row 1 repeats row 0: 1"),
        (
            set_at("splits", "test_seen_loc", 1, 2),
            r"`trainval_loc` and `test_seen_loc` share 1 images, the first is row 1 ",
        ),
        (
            replace("splits", "test_seen_loc", lambda v: np.append(v, [29, 30])),
            r"`test_seen_loc` and `test_unseen_loc` share 2 images, the first is row 28",
        ),
        (replace("splits", "test_unseen_loc", lambda v: v[:0]), r"`test_unseen_loc` is empty"),
        (set_at("rows", "labels", 29, 1), r"`test_unseen_loc` holds image row 29 .*'class_1'"),
        (set_at("rows", "labels", 0, 6), r"`test_seen_loc` holds image row 0 of class 'class_6'"),
    ],
)
def test_damage_is_named_by_file_row_and_value(layout: Any, damage: Damage, message: str) -> None:
    damage(layout)
    with pytest.raises(DataError, match=f"(?s){message}") as caught:
        load_dataset("tiny", layout.write())
    assert str(layout.root) in caught.value.message


@pytest.mark.parametrize("file", ["att_splits.mat", "res101.mat"])
def test_truncated_and_absent_files_are_named(layout: Any, file: str) -> None:
    root, path = layout.write(), layout.root / file
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=f"{file} is truncated"):
        load_dataset("tiny", root)
    path.unlink()
    with pytest.raises(DataError, match=file):
        load_dataset("tiny", root)


def test_optional_splits_may_be_there_or_not(layout: Any) -> None:
    layout.splits["train_loc"] = layout.splits["val_loc"] = np.array([[999]])
    assert len(load_dataset("tiny", layout.write()).trainval) == 16


def test_unknown_names_say_what_is_expected_where(layout: Any) -> None:
    root = layout.write()
    with pytest.raises(DataError, match="did you mean 'tiny'") as caught:
        load_dataset("tinny", root)
    for word in ("att_splits.mat", "res101.mat", "images.zip", "JPEGImages/", str(root / "TINNY")):
        assert word in caught.value.message
    assert f"`drmn data check --dataset tinny --data-root {root}`" in caught.value.remedy
    with pytest.raises(DataError, match=r"no data set '\.\./TINY'"):
        load_dataset("../TINY", root)
    with pytest.raises(DataError, match="no data set 'cub'"):
        load_dataset("cub", root / "absent")


def test_ambiguous_names_are_refused(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    make_tiny(tmp_path / "a_b").write()
    make_tiny(tmp_path / "A-B").write()
    assert load_dataset("A-B", tmp_path).root.name == "A-B"
    with pytest.raises(DataError, match="fits several folders"):
        load_dataset("a-b", tmp_path)


def test_a_published_name_demands_the_published_counts(
    tmp_path: Path, make_tiny: Callable[..., Any]
) -> None:
    root = make_tiny(tmp_path / "CUB").write()
    with pytest.raises(DataError, match="images 30 instead of 11788, seen_classes 4 "):
        load_dataset("cub", root)


@pytest.mark.parametrize(
    "name", ["cub", "sun", "cifar-awa2", pytest.param("awa2", marks=pytest.mark.slow)]
)
def test_real_data_sets(real_dataset: Callable[[str], Dataset], name: str) -> None:
    dataset = real_dataset(name)
    splits = scipy.io.loadmat(dataset.root / "att_splits.mat", variable_names=["att"])
    np.testing.assert_allclose(dataset.attributes, splits["att"].T, atol=1e-6)
    assert "attribute 1" not in dataset.attribute_names
    assert not any("images/" in path.lower() or "//" in path for path in dataset.image_paths)
    if name in PUBLISHED:
        assert len(dataset.image_paths) == PUBLISHED[name].images
