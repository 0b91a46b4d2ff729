"""``drmn data``: from a download to a trusted, shared feature store."""

import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from drmn.data.checking import check_dataset
from drmn.data.dataset import load_dataset
from drmn.data.description import describe
from drmn.data.exclusions import EXCLUDE_FILE
from drmn.data.images import images
from drmn.data.pixels import prepare
from drmn.data.pixels.manifest import QUARANTINE_FILE
from drmn.data.store.storage import Storage
from drmn.presets import preset
from orchestration.cli_features import features
from orchestration.cluster import cluster
from orchestration.cluster_shards import make_pixels_on_ray
from orchestration.data_report import print_report, report_as_json
from orchestration.datasets import resolve_data_root
from orchestration.exposure import AllowOpenRay
from orchestration.progress import progress
from orchestration.settings import place_of, read_settings

DatasetName = Annotated[
    str, typer.Option("--dataset", help="sprites, cub, sun, awa2, cifar-awa2 or a folder.")
]
DataRoot = Annotated[
    Path | None, typer.Option("--data-root", help="Holds one folder per data set.")
]

data_app = typer.Typer(name="data", help="Check, show and prepare data sets.", no_args_is_help=True)


data_app.command("features")(features)


@data_app.command("check")
def check(
    dataset: DatasetName,
    data_root: DataRoot = None,
    decode: Annotated[bool, typer.Option(help="Decode every picture.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Say what is there, missing, broken or leaking. Exit code 0 good, 1 findings, 2 unusable."""
    console = Console(stderr=True)
    root = resolve_data_root(dataset, data_root, read_settings(), console)
    with progress(console, "decoding pictures") as count:
        report = check_dataset(dataset, root, decode=decode, progress=count)
    if as_json:
        typer.echo(json.dumps(report_as_json(report), indent=1))
    else:
        print_report(report, Console())
    raise typer.Exit(report.exit_code)


@data_app.command("describe")
def describe_command(
    dataset: DatasetName,
    data_root: DataRoot = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default: below DRMN_HOME.")] = None,
) -> None:
    """Draw a sample of each class, the attribute matrix, and each unseen class's nearest seen."""
    console, settings = Console(stderr=True), read_settings()
    found = load_dataset(dataset, resolve_data_root(dataset, data_root, settings, console))
    for path in describe(found, out or settings.home / "pictures" / found.name):
        typer.echo(path)


@data_app.command("prepare")
def prepare_command(
    dataset: DatasetName,
    out: Annotated[str, typer.Option(help="A folder or s3://bucket/prefix.")],
    data_root: DataRoot = None,
    image_size: Annotated[int | None, typer.Option(min=1, help="Pixels; default: preset.")] = None,
    max_bad: Annotated[int, typer.Option(min=0, help="Unreadable pictures put up with.")] = 0,
    ray_address: Annotated[str | None, typer.Option(help="Work on this Ray cluster.")] = None,
    allow_open_ray: AllowOpenRay = False,
) -> None:
    """Decode and resize every picture once, to Arrow shards; a run that was killed is continued."""
    console = Console(stderr=True)
    settings = read_settings(allow_open_ray=allow_open_ray)
    found = load_dataset(dataset, resolve_data_root(dataset, data_root, settings, console))
    size = image_size or preset(found.name).data.image_size
    storage = Storage(place_of(out))
    joined = cluster(ray_address, allow_open=settings.allow_open_ray)
    on_cluster = joined if ray_address else contextlib.nullcontext()
    with on_cluster, progress(console, f"preparing {found.name} at {size} px") as count:
        manifest = prepare(
            found,
            images(found),
            size,
            storage,
            max_bad=max_bad,
            progress=count,
            runner=make_pixels_on_ray if ray_address else None,
        )
    typer.echo(f"{manifest.num_rows - len(manifest.bad)} pictures in {out}")
    if manifest.bad:
        report = f"{len(manifest.bad)} pictures are unreadable: see {QUARANTINE_FILE} there; copy "
        typer.echo(f"{report}{EXCLUDE_FILE} to {found.root} to leave them out of every split")
