"""A store that somebody else made is used only where it is the one that would be computed."""

from dataclasses import replace
from pathlib import Path

import pytest
from distributions import write_folder
from PIL import Image

from drmn.config import BackboneConfig
from drmn.data.dataset import Dataset, load_dataset
from drmn.data.store.compatibility import check_fits
from drmn.data.store.features import FeatureStore
from drmn.data.store.making import ensure_features
from drmn.errors import DataError

SIZE = 32
BACKBONE = BackboneConfig(name="resnet18")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("data")
    write_folder(root / "MINE")
    return load_dataset("mine", root)


@pytest.fixture(scope="module")
def store(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return ensure_features(dataset, BACKBONE, SIZE, tmp_path_factory.mktemp("cache"))


def test_the_same_recipe_fits_with_either_precision(
    dataset: Dataset, store: FeatureStore, tmp_path: Path
) -> None:
    check_fits(store, dataset, BACKBONE, SIZE)
    check_fits(store, dataset, replace(BACKBONE, train="all"), SIZE)
    precise = ensure_features(dataset, BACKBONE, SIZE, tmp_path, dtype="float32")
    check_fits(precise, dataset, BACKBONE, SIZE)


def test_every_difference_is_named(dataset: Dataset, store: FeatureStore) -> None:
    with pytest.raises(DataError, match=r"transform is \{'image_size': 32\}, but must be .*64"):
        check_fits(store, dataset, BACKBONE, 64)
    with pytest.raises(DataError, match=r"backbone is 'resnet18'.*; weights_hash is"):
        check_fits(store, dataset, BackboneConfig(name="resnet50"), SIZE)
    with pytest.raises(DataError, match=r"data_hash is '\w+', but must be"):
        check_fits(store, dataset.without([dataset.image_paths[0]]), BACKBONE, SIZE)
    with pytest.raises(DataError, match=r"source is None, but must be 'res101\.mat'"):
        check_fits(store, dataset, replace(BACKBONE, weights="res101.mat"), SIZE)


def test_other_pictures_under_the_same_paths_do_not_fit(
    store: FeatureStore, tmp_path: Path
) -> None:
    root = write_folder(tmp_path / "MINE")
    tail = root / "images" / "cat" / "0.jpg"
    Image.new("RGB", (12, 8), (9, 9, 9)).save(tail)
    changed = load_dataset("mine", tmp_path)
    with pytest.raises(DataError, match=r"pictures is '\w+', but must be '\w+'\n"):
        check_fits(store, changed, BACKBONE, SIZE)
    tail.unlink()
    check_fits(store, changed, BACKBONE, SIZE)
