"""Features of a frozen backbone, computed once.

``<cache_root>/features/<key>/`` holds Arrow files and a manifest. The key hashes all that the
features depend on, so nothing is ever updated in place: other weights, pictures, sizes or code
give another folder. Features are per image and use no label, so splits and folds share a store.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from drmn.config import BackboneConfig
from drmn.data import transforms
from drmn.data.dataset import Dataset
from drmn.data.images import ImageSource, images
from drmn.data.store.arrow_shards import DTYPE
from drmn.data.store.extraction import Extraction, Progress, Runner
from drmn.data.store.features import FeatureStore
from drmn.data.store.manifest import settings_key
from drmn.errors import DataError
from drmn.model.backbone import build_backbone

VERSION = 3  # raise it with any change of what is computed from the same settings

_log = logging.getLogger("drmn")


def ensure_features(
    dataset: Dataset,
    backbone_config: BackboneConfig,
    image_size: int,
    cache_root: Path,
    progress: Progress | None = None,
    device: str = "cpu",
    *,
    pictures: ImageSource | None = None,
    dtype: str = DTYPE,
    runner: Runner | None = None,
) -> FeatureStore:
    """Open the store of these features, computing it first if it is not there.

    Of several processes that ask at once, one computes and the others wait. Work that was killed
    is taken up where its last complete file ends.

    Args:
        progress: called with the number of images done and their total.
        pictures: where the pictures come from; None: the data set's own place.
        dtype: of the values kept: float16, or float32 at twice the size.
        runner: computes files elsewhere; None: here, one after the other.

    Raises:
        DataError: a picture or the weights cannot be read (nothing is left behind then), the
            store is damaged, or the cache cannot be written to.
    """
    backbone = build_backbone(replace(backbone_config, train="none"))
    source = pictures if pictures is not None else images(dataset)
    settings = feature_settings(
        dataset,
        backbone_config.name,
        backbone.weights_hash,
        image_size,
        pictures=source.fingerprint(dataset.image_paths),
        dtype=dtype,
    )
    folder = features_folder(settings, cache_root)
    if folder.is_dir():
        _log.info("features %s are there already: %s", folder.name, folder)
        return FeatureStore.open(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            if not folder.is_dir():
                Extraction(
                    tails=dataset.image_paths,
                    pictures=source,
                    backbone=backbone,
                    image_size=image_size,
                    settings=settings,
                    device=device,
                    dtype=dtype,
                ).run(folder, progress, runner)
    except OSError as error:
        raise DataError(
            f"features cannot be written to {folder}: {error}",
            "free some space there, or give another cache folder",
        ) from error
    return FeatureStore.open(folder)


def feature_settings(
    dataset: Dataset,
    backbone: str,
    weights_hash: str,
    image_size: int,
    *,
    pictures: str,
    dtype: str = DTYPE,
) -> dict[str, object]:
    """All that cached features depend on; ``pictures`` is the fingerprint of their files."""
    return {
        "version": VERSION,
        "dtype": dtype,
        "data_hash": dataset.data_hash,
        "pictures": pictures,
        "backbone": backbone,
        "weights_hash": weights_hash,
        "transform": transforms.describe(image_size),
    }


def features_folder(settings: dict[str, object], cache_root: Path) -> Path:
    """Where the store of these :func:`feature_settings` lies, once it has been computed."""
    return cache_root / "features" / settings_key(settings)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Alone, among the processes that see this cache, in computing ``folder``.

    A process that is killed loses the lock with its life; the lock's file stays and means nothing.
    """
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.info("waiting for another process that computes features %s", folder.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
