"""Does a feature store that somebody else made hold what a configuration asks for?"""

from collections.abc import Mapping
from dataclasses import replace

from drmn.config import BackboneConfig
from drmn.data.dataset import Dataset
from drmn.data.images import images, missing_images
from drmn.data.store.features import FeatureStore
from drmn.data.store.given_features import GIVEN
from drmn.data.store.making import feature_settings
from drmn.errors import DataError
from drmn.model.backbone import build_backbone

_PICTURES = "pictures"


def check_fits(
    store: FeatureStore, dataset: Dataset, backbone: BackboneConfig, image_size: int
) -> None:
    """Compare everything that the store's key covers; either dtype will do.

    Where this machine lacks pictures of the data set, the store's word is taken for them.

    Raises:
        DataError: the store is of other data, weights, sizes or code; the message says which.
    """
    found = store.manifest.settings
    expected = _expected(store, dataset, backbone, image_size)
    different = [
        f"{name} is {_shown(found.get(name), value)}, but must be {_shown(value, found.get(name))}"
        for name, value in expected.items()
        if found.get(name) != value
    ]
    if different:
        raise DataError(
            f"the feature store {store.place} is not of this configuration: {'; '.join(different)}",
            "give the options it was made with, or publish one for these with "
            "`drmn data features --publish`",
        )


def _expected(
    store: FeatureStore, dataset: Dataset, backbone: BackboneConfig, image_size: int
) -> dict[str, object]:
    if backbone.weights == GIVEN:
        return {"data_hash": dataset.data_hash, "source": GIVEN}
    weights_hash = build_backbone(replace(backbone, train="none")).weights_hash
    source, dtype = images(dataset), store.manifest.dtype
    if missing_images(dataset, source):
        pictures = str(store.manifest.settings.get(_PICTURES))
    else:
        pictures = source.fingerprint(dataset.image_paths)
    return feature_settings(
        dataset, backbone.name, weights_hash, image_size, pictures=pictures, dtype=dtype
    )


def _shown(value: object, other: object) -> object:
    """Of two tables, only what differs."""
    if not isinstance(value, Mapping) or not isinstance(other, Mapping):
        return repr(value)
    return {name: each for name, each in value.items() if other.get(name) != each}
