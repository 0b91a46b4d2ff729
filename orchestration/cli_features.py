"""``drmn data features``: the levels of a frozen backbone, kept for every trial."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from drmn.config import BackboneConfig
from drmn.config_tree import Scalar
from drmn.presets import preset
from orchestration.cli_options import Backbone, DataRoot, ImageSize, Weights
from orchestration.cli_options import Dataset as DatasetName
from orchestration.exposure import AllowOpenRay
from orchestration.settings import Settings, place_of, read_settings
from orchestration.terminal.manner import Json, print_json, progress_console

if TYPE_CHECKING:
    from drmn.data.dataset import Dataset
    from drmn.data.images import ImageSource
    from drmn.data.store.features import FeatureStore
    from drmn.data.store.storage import Storage


class Precision(StrEnum):
    """Of the numbers kept."""

    FP16 = "fp16"
    FP32 = "fp32"


_DTYPES = {Precision.FP16: "float16", Precision.FP32: "float32"}
_GIVEN_WORD = (
    "{} holds one pooled vector per image: it serves --variant baseline, +ACA and +SIT "
    "(--weights res101.mat); all rows with MFF need the pictures"
)


def features(
    dataset: DatasetName,
    data_root: DataRoot = None,
    backbone: Backbone = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    precision: Annotated[Precision, typer.Option(help="Of the numbers kept.")] = Precision.FP16,
    prepared: Annotated[
        str | None, typer.Option(help="Read pictures from this `prepare --out`.")
    ] = None,
    publish_to: Annotated[
        str | None, typer.Option("--publish", help="Copy the store there: a folder or s3://.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="Work on this Ray cluster; DRMN_HOME must be shared.")
    ] = None,
    allow_open_ray: AllowOpenRay = False,
    as_json: Json = False,
) -> None:
    """Compute the store unless it is there; one process computes, others wait; resumable."""
    from drmn.data.dataset import load_dataset
    from drmn.data.store.given_features import GIVEN, ensure_given_features
    from drmn.data.store.remote_features import publish
    from orchestration.datasets import resolve_data_root
    from orchestration.progress import progress

    console = progress_console(as_json=True)
    settings = read_settings(allow_open_ray=allow_open_ray)
    found = load_dataset(dataset, resolve_data_root(dataset, data_root, settings, console))
    if weights == GIVEN:
        store = ensure_given_features(found, settings.cache_root)
        typer.echo(_GIVEN_WORD.format(GIVEN), err=as_json)
    else:
        chosen = {"backbone.name": backbone, "backbone.weights": weights}
        sized: dict[str, Scalar] = {**chosen, "data.image_size": image_size}
        given = {path: value for path, value in sized.items() if value is not None}
        config = preset(found.name).with_overrides(given)
        size = config.data.image_size
        source = _pictures(found, prepared)
        store = _extract(found, config.backbone, size, source, precision, ray_address, settings)
    if publish_to is not None:
        with progress(console, f"publishing to {publish_to}") as count:
            publish(store, _storage(publish_to), count)
    if as_json:
        print_json({"dataset": found.name, "store": str(store.path), "published": publish_to})
    else:
        typer.echo(publish_to or store.path)


def _pictures(dataset: "Dataset", prepared: str | None) -> "ImageSource":
    from drmn.data.images import images
    from drmn.data.pixels import PreparedImages
    from orchestration.levels import node_cache

    if prepared is None:
        return images(dataset)
    return PreparedImages.open(_storage(prepared), node_cache(), dataset.data_hash)


def _extract(
    dataset: "Dataset",
    backbone: BackboneConfig,
    image_size: int,
    source: "ImageSource",
    precision: Precision,
    ray_address: str | None,
    settings: Settings,
) -> "FeatureStore":
    import torch

    from drmn.data.store.making import ensure_features
    from orchestration.cluster_shards import make_features_on_ray, working_on
    from orchestration.progress import progress

    console = progress_console(as_json=True)
    on_cluster = working_on(ray_address, settings, console)
    with on_cluster, progress(console, f"{backbone.name} features of {dataset.name}") as count:
        return ensure_features(
            dataset,
            backbone,
            image_size,
            settings.cache_root,
            progress=count,
            device="cuda" if torch.cuda.is_available() else "cpu",
            pictures=source,
            dtype=_DTYPES[precision],
            runner=make_features_on_ray if ray_address else None,
        )


def _storage(place: str) -> "Storage":
    from drmn.data.store.storage import Storage

    return Storage(place_of(place))
