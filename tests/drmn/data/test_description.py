from pathlib import Path
from typing import Any

import pytest
from distributions import write_folder
from PIL import Image

from drmn.data.dataset import load_dataset
from drmn.data.description import describe, nearest_seen, unseen_classes
from drmn.errors import DataError


def test_three_pictures_are_written(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    dataset = load_dataset("mine", tmp_path)
    paths = describe(dataset, tmp_path / "out")
    assert [path.name for path in paths] == ["samples.png", "attributes.png", "similarity.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert min(picture.size) > 200
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in paths
    )


def test_nearest_seen_classes_come_in_order_of_similarity(layout: Any) -> None:
    dataset = load_dataset("tiny", layout.write())
    ids, cosines = nearest_seen(dataset)
    assert unseen_classes(dataset).tolist() == [4, 5]
    assert ids.shape == cosines.shape == (2, 3)
    assert (cosines[:, :-1] >= cosines[:, 1:]).all()
    assert (ids < 4).all()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "MINE")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        describe(load_dataset("mine", tmp_path), tmp_path / "file")
