"""Features that came with the splits: the pooled 2048 numbers per image of res101.mat.

They have no regions and no levels, so attention over regions is trivial (R = 1) and there is
nothing to fuse. They serve the rows without MFF, and give those a store like any other.
"""

import math
import shutil
from pathlib import Path

import numpy as np

from drmn.config import Config
from drmn.data.dataset import Dataset
from drmn.data.layouts.xlsa17 import LABELS_FILE
from drmn.data.layouts.xlsa17 import NAME as XLSA17
from drmn.data.mat5 import MatDamageError, read_variables
from drmn.data.store.arrow_shards import DTYPE, write_shard
from drmn.data.store.features import FeatureStore
from drmn.data.store.manifest import Manifest, describe_shard, settings_key
from drmn.errors import ConfigError, DataError
from drmn.model.levels import LevelSpec

GIVEN = LABELS_FILE
"""The value of `backbone.weights` that asks for these features."""

_VARIABLE = "features"
_MAX_BYTES = 4 << 30  # AwA2's have 611 MB as doubles
_ROWS_PER_SHARD = 8192


def check_needs_no_regions(config: Config) -> None:
    """Raises ConfigError for settings that need regions or several levels."""
    fusion = config.model.fusion
    if fusion.enabled or fusion.single_level != "last":
        raise ConfigError(
            f"{GIVEN} gives one pooled vector per image, but MFF (model.fusion.enabled) and "
            "model.fusion.single_level=second_last need the regions of several levels",
            "take --variant baseline, +ACA or +SIT (with R = 1 their spatial attention has nothing "
            "to choose from); +MFF, +DAB, +DAB+SIT, +global and +ensemble need the pictures",
        )


def ensure_given_features(dataset: Dataset, cache_root: Path) -> FeatureStore:
    """The store of the data set's own `features`, made if it is not there.

    Raises:
        DataError: the file has none, or not one finite vector per image.
    """
    settings: dict[str, object] = {
        "version": 1,
        "dtype": DTYPE,
        "data_hash": dataset.data_hash,
        "source": GIVEN,
        "size_bytes": _path(dataset).stat().st_size,
    }
    folder = cache_root / "features" / settings_key(settings)
    if not folder.is_dir():
        _write(folder, _read(dataset), settings)
    return FeatureStore.open(folder)


def _path(dataset: Dataset) -> Path:
    path = dataset.root / LABELS_FILE
    if dataset.layout != XLSA17 or not path.is_file():
        raise DataError(
            f"{dataset.name} has no {LABELS_FILE}", "extract features from its pictures"
        )
    return path


def _read(dataset: Dataset) -> np.ndarray:
    """[N, C], one row per image."""
    path = _path(dataset)
    try:
        values = read_variables(path, [_VARIABLE], _MAX_BYTES).get(_VARIABLE)
    except (MatDamageError, OSError) as error:
        raise DataError(f"{path} is not usable: {error}", "download it again") from error
    num_images = len(dataset.image_paths)
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.shape[1] != num_images:
        shape = values.shape if isinstance(values, np.ndarray) else "nothing"
        raise DataError(
            f"{path}: `{_VARIABLE}` is {shape}, but must have a column for each of the "
            f"{num_images} images",
            "take the file with features, or extract them from the pictures",
        )
    rows = values.T
    top = float(np.finfo(DTYPE).max)
    if not math.isfinite(largest := float(np.abs(rows).max())) or largest > top:
        raise DataError(f"{path}: `{_VARIABLE}` has a value of {largest:g}, beyond {top:g}")
    return rows


def _write(folder: Path, rows: np.ndarray, settings: dict[str, object]) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    manifest = Manifest(
        settings=settings,
        levels=(LevelSpec(rows.shape[1], 1, 1),),
        num_rows=len(rows),
        rows_per_shard=_ROWS_PER_SHARD,
    )
    for index, first in enumerate(range(0, len(rows), _ROWS_PER_SHARD)):
        part = np.ascontiguousarray(rows[first : first + _ROWS_PER_SHARD], dtype=DTYPE)
        path = partial / f"levels-{index:05d}.arrow"
        write_shard(path, [part[:, None, None, :]], settings)
        manifest = manifest.with_shard(describe_shard(path, len(part)))
    manifest.save(partial)
    partial.rename(folder)
