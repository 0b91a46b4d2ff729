"""``drmn data``: from a download to a trusted, shared feature store."""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli_features import features
from orchestration.cli_options import DataRoot, Dataset, ImageSize
from orchestration.exposure import AllowOpenRay
from orchestration.settings import place_of, read_settings
from orchestration.terminal.commands import add_command, make_group
from orchestration.terminal.manner import Json, print_json, progress_console, result_console


def check(
    dataset: Dataset,
    data_root: DataRoot = None,
    decode: Annotated[bool, typer.Option(help="Decode every picture.")] = True,
    as_json: Json = False,
) -> None:
    """Say what is there, missing, broken or leaking. Exit code 0 good, 1 findings, 2 unusable."""
    from drmn.data.checking import check_dataset
    from orchestration.data_report import print_report, report_as_json
    from orchestration.datasets import resolve_data_root
    from orchestration.progress import progress

    console = progress_console(as_json=True)
    root = resolve_data_root(dataset, data_root, read_settings(), console)
    with progress(console, "decoding pictures") as count:
        report = check_dataset(dataset, root, decode=decode, progress=count)
    if as_json:
        print_json(report_as_json(report))
    else:
        print_report(report, result_console())
    raise typer.Exit(report.exit_code)


def describe(
    dataset: Dataset,
    data_root: DataRoot = None,
    out: Annotated[Path | None, typer.Option(help="Folder; default: below DRMN_HOME.")] = None,
    as_json: Json = False,
) -> None:
    """Draw a sample of each class, the attribute matrix, and each unseen class's nearest seen."""
    from drmn.data.dataset import load_dataset
    from drmn.data.description import describe as draw
    from orchestration.datasets import resolve_data_root
    from orchestration.progress import progress

    console, settings = progress_console(as_json=True), read_settings()
    found = load_dataset(dataset, resolve_data_root(dataset, data_root, settings, console))
    with progress(console, "drawing") as count:
        paths = draw(found, out or settings.home / "pictures" / found.name, count)
    if as_json:
        print_json({"dataset": found.name, "pictures": [str(path) for path in paths]})
    else:
        typer.echo("\n".join(str(path) for path in paths))


def prepare(
    dataset: Dataset,
    out: Annotated[str, typer.Option(help="A folder or s3://bucket/prefix.")],
    data_root: DataRoot = None,
    image_size: ImageSize = None,
    max_bad: Annotated[int, typer.Option(min=0, help="Unreadable pictures put up with.")] = 0,
    ray_address: Annotated[str | None, typer.Option(help="Work on this Ray cluster.")] = None,
    allow_open_ray: AllowOpenRay = False,
    as_json: Json = False,
) -> None:
    """Decode and resize every picture once, to Arrow shards; a run that was killed is continued."""
    from drmn.data.dataset import load_dataset
    from drmn.data.exclusions import EXCLUDE_FILE
    from drmn.data.images import images
    from drmn.data.pixels import prepare as make_shards
    from drmn.data.pixels.manifest import QUARANTINE_FILE
    from drmn.data.store.storage import Storage
    from drmn.presets import preset
    from orchestration.cluster_shards import make_pixels_on_ray, working_on
    from orchestration.datasets import resolve_data_root
    from orchestration.progress import progress

    console = progress_console(as_json=True)
    settings = read_settings(allow_open_ray=allow_open_ray)
    found = load_dataset(dataset, resolve_data_root(dataset, data_root, settings, console))
    size = image_size or preset(found.name).data.image_size
    storage = Storage(place_of(out))
    on_cluster = working_on(ray_address, settings, console)
    with on_cluster, progress(console, f"preparing {found.name} at {size} px") as count:
        manifest = make_shards(
            found,
            images(found),
            size,
            storage,
            max_bad=max_bad,
            progress=count,
            runner=make_pixels_on_ray if ray_address else None,
        )
    num_good, num_bad = manifest.num_rows - len(manifest.bad), len(manifest.bad)
    if as_json:
        print_json({"place": out, "image_size": size, "pictures": num_good, "bad": num_bad})
        return
    typer.echo(f"{num_good} pictures in {out}")
    if num_bad:
        report = f"{num_bad} pictures are unreadable: see {QUARANTINE_FILE} there; copy "
        typer.echo(f"{report}{EXCLUDE_FILE} to {found.root} to leave them out of every split")


data_app = make_group("data", "Check, show and prepare data sets.")
add_command(
    data_app,
    "check",
    check,
    examples=("drmn data check --dataset sun --data-root data/xlsa17 --no-decode",),
)
add_command(data_app, "describe", describe, examples=("drmn data describe --dataset sprites",))
add_command(
    data_app,
    "prepare",
    prepare,
    examples=("drmn data prepare --dataset cub --out s3://bucket/cub-448",),
)
add_command(
    data_app,
    "features",
    features,
    examples=("drmn data features --dataset cub --publish s3://bucket/cub-features",),
)
