import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from distributions import ATTRIBUTES, CLASSES, MATRIX, WRITERS, write_awa2, write_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drmn.config import ValidationConfig
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.images import images, missing_images
from drmn.data.layouts.awa2 import STANDARD_SPLIT_NOTE
from drmn.data.layouts.proposal import NOTE
from drmn.data.splits import test_split, validation_split
from drmn.errors import DataError


def _load(tmp_path: Path, layout: str) -> Dataset:
    WRITERS[layout](tmp_path / "MINE")
    return load_dataset("mine", tmp_path)


@pytest.mark.parametrize("layout", WRITERS)
def test_each_layout_becomes_the_same_data_set(tmp_path: Path, layout: str) -> None:
    dataset = _load(tmp_path, layout)
    assert dataset.layout == layout
    assert set(dataset.class_names) == set(CLASSES)
    assert dataset.attribute_names == ATTRIBUTES
    assert len(dataset.image_paths) == 20
    for tail, label in zip(dataset.image_paths, dataset.labels, strict=True):
        assert dataset.class_names[label] in tail
    order = [CLASSES.index(name) for name in dataset.class_names]
    if layout != "AwA2":
        norms = np.linalg.norm(MATRIX, axis=1, keepdims=True)
        np.testing.assert_allclose(dataset.attributes, (MATRIX / norms)[order], atol=1e-4)
    assert missing_images(dataset, images(dataset)) == []
    assert images(dataset).open_image(dataset.image_paths[0]).size == (12, 8)


@pytest.mark.parametrize("layout", WRITERS)
def test_a_proposed_split_is_one_that_can_be_trained_on(tmp_path: Path, layout: str) -> None:
    dataset = _load(tmp_path, layout)
    assert dataset.notes == ((STANDARD_SPLIT_NOTE if layout == "AwA2" else NOTE),)
    split = test_split(dataset)
    assert (split.seen.sum(), (~split.seen).sum()) == (3, 1)
    assert (len(split.train.rows), len(split.eval_seen.rows)) == (12, 3)
    assert validation_split(dataset, ValidationConfig()).protocol == "validation"


def test_unknown_strengths_of_awa2_count_as_none(tmp_path: Path) -> None:
    dataset = _load(tmp_path, "AwA2")
    assert dataset.attributes[CLASSES.index("owl"), 1] == 0.0
    unseen = {dataset.class_names[k] for k in dataset.labels[dataset.test_unseen]}
    assert unseen == {"owl"}


def test_a_proposed_split_does_not_depend_on_the_order_of_a_disk(tmp_path: Path) -> None:
    one = _load(tmp_path / "a", "folder")
    again = _load(tmp_path / "b", "folder")
    assert one.split_hash == again.split_hash


def test_a_known_data_set_is_found_under_its_own_name(tmp_path: Path) -> None:
    write_awa2(tmp_path / "Animals_with_Attributes2")
    with pytest.raises(DataError, match="images 20 instead of 37322, attributes 3 instead of 85"):
        load_dataset("awa2", tmp_path)


def test_classes_may_be_declared_unseen(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "MINE")
    lines = (root / "attributes.csv").read_text().splitlines()
    words = ["split", "seen", "unseen", "seen", "seen"]
    text = "\n".join(f"{line},{word}" for line, word in zip(lines, words, strict=True))
    (root / "attributes.csv").write_text(text)
    dataset = load_dataset("mine", tmp_path)
    assert set(dataset.labels[dataset.test_unseen]) == {CLASSES.index("dog")}
    assert dataset.attribute_names == ATTRIBUTES


def test_every_image_may_be_given_its_split(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "MINE")
    groups = {"trainval": "cat/0 cat/1 dog/0", "test_seen": "cat/2 dog/3", "test_unseen": "eel/0"}
    lines = [f"{i}.jpg,{name}" for name, images in groups.items() for i in images.split()]
    (root / "splits.csv").write_text("\n".join(["image,split", *lines]))
    dataset = load_dataset("mine", tmp_path)
    assert dataset.test_seen.tolist() == [2, 8]
    assert dataset.notes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,part\n", "must have a header"),
        ("image,part\na,b\n", "must read 'image,split'"),
        ("image,split\ncat/0.jpg,test\n", "'test' is no split"),
        ("image,split\ncat/9.jpg,trainval\n", "'cat/9.jpg' is no picture"),
        ("image,split\ncat/0.jpg,trainval\ncat/0.jpg,test_seen\n", "twice"),
        ("image,split\ncat/0.jpg,trainval\ncat/1.jpg,test_unseen\n", "'cat' is trained and unseen"),
        ("image,split\ncat/0.jpg,trainval\n", "no image to test_seen, test_unseen"),
    ],
)
def test_contradictory_splits_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (write_folder(tmp_path / "MINE") / "splits.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_dataset("mine", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,a\ncat,1\n", "header must read"),
        ("class,a\n", "must have a header and at least one"),
        ("class,a\ncat,1,2\n", "line 2 has 3 cells"),
        ("class,a\n,1\n", "line 2 names no class"),
        ("class,a\ncat,much\n", "something else than numbers"),
        ("class,a\ncat,nan\n", "must be finite"),
        ("class,a\ncat,1e300\n", "finite and at most 1e"),
        ("class,a\ncat,0\n", "all zero"),
        ("class,a\ncat,1\ncat,2\n", "'cat' occurs twice"),
        ("class,a\nemu,1\n", "no picture of any"),
        ("class,a\n../images,1\n", "cannot be that of a folder"),
        ("class,a,split\ncat,1,maybe\n", "must be seen or unseen"),
        ("class,a\ncat,1\n", "leave nothing for"),
    ],
)
def test_mistakes_in_a_table_are_named(tmp_path: Path, text: str, message: str) -> None:
    (write_folder(tmp_path / "MINE") / "attributes.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_dataset("mine", tmp_path)


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "MINE")
    (root / "images" / "cat" / "b\udcff.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="not UTF-8"):
        load_dataset("mine", tmp_path)


_FILES = {
    "CUB_200_2011": "images.txt classes.txt image_class_labels.txt "
    "attributes/class_attribute_labels_continuous.txt",
    "AwA2": "classes.txt predicates.txt predicate-matrix-continuous.txt",
    "SUN": "images.mat attributes.mat attributeLabels_continuous.mat",
    "folder": "attributes.csv",
}


def _flip(data: bytes, at: int, to: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([to]) + data[at + 1 :]


_DAMAGES: list[Callable[[bytes, int, int], bytes]] = [
    lambda data, at, _: data[: at % len(data)],
    _flip,
    lambda data, at, to: data[: at % len(data)] + bytes([to, 255, 0]) * 9,
    lambda data, at, _: data + data[at % len(data) :],
]


@pytest.mark.parametrize(
    ("layout", "file"),
    [(layout, file) for layout, files in _FILES.items() for file in files.split()],
)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(_DAMAGES), st.integers(0, 10**6), st.integers(0, 255))
def test_whatever_happens_to_a_file_is_a_data_error(
    tmp_path: Path,
    layout: str,
    file: str,
    damage: Callable[[bytes, int, int], bytes],
    at: int,
    to: int,
) -> None:
    shutil.rmtree(tmp_path)
    path = WRITERS[layout](tmp_path / "MINE") / file
    path.write_bytes(damage(path.read_bytes(), at, to))
    before = sorted(tmp_path.rglob("*"))
    try:
        load_dataset("mine", tmp_path)
    except DataError as error:
        assert error.message
    assert sorted(tmp_path.rglob("*")) == before


def test_excluded_images_keep_their_row_and_leave_the_splits(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "MINE")
    whole = load_dataset("mine", tmp_path)
    tail = whole.image_paths[int(whole.trainval[0])]
    (root / "images" / tail).write_bytes(b"broken")
    (root / "exclude.txt").write_text(f"{tail}\n")
    dataset = load_dataset("mine", tmp_path)
    assert dataset.image_paths == whole.image_paths
    assert dataset.trainval.tolist() == whole.trainval.tolist()[1:]
    assert dataset.data_hash != whole.data_hash
    assert dataset.split_hash != whole.split_hash
    assert images(dataset).open_image(tail).getpixel((0, 0)) == (0, 0, 0)
    (root / "exclude.txt").write_text("cat/99.jpg\n")
    with pytest.raises(DataError, match="no image of this data set"):
        load_dataset("mine", tmp_path)
    everything = [whole.image_paths[row] for row in whole.test_seen]
    (root / "exclude.txt").write_text("\n".join(everything))
    with pytest.raises(DataError, match="leave nothing of test_seen"):
        load_dataset("mine", tmp_path)
