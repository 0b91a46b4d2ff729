"""``drmn data``: what is on disk, before anything is trained on it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from drmn.data.dataset import Dataset, load_dataset
from drmn.data.images import check_images_present, images
from drmn.data.splits import validation_split
from drmn.presets import preset
from orchestration.datasets import resolve_data_root
from orchestration.settings import read_settings

data_app = typer.Typer(name="data", help="Check data sets.", no_args_is_help=True)


@data_app.command("check")
def check(
    dataset: Annotated[str, typer.Option(help="sprites, cub, sun, awa2, cifar-awa2 or a folder.")],
    data_root: Annotated[Path | None, typer.Option(help="Holds one folder per data set.")] = None,
) -> None:
    """Read att_splits.mat and res101.mat, look for every image, and say what was found."""
    console = Console()
    root = resolve_data_root(dataset, data_root, read_settings(), console)
    found = load_dataset(dataset, root)
    console.print(_overview(found))
    source = images(found)
    check_images_present(found, source)
    console.print(f"images: all {len(found.labels)} present in {source.location}", highlight=False)


def _overview(found: Dataset) -> Table:
    split = validation_split(found, preset(found.name).validation)
    table = Table("part", "images", "classes", title=f"{found.name} in {found.root}")
    parts = {"trainval": found.trainval, "test_seen": found.test_seen}
    parts |= {"test_unseen": found.test_unseen, "validation: train": split.train.rows}
    parts |= {"validation: seen": split.eval_seen.rows}
    parts |= {"validation: unseen": split.eval_unseen.rows}
    for name, rows in parts.items():
        table.add_row(name, str(len(rows)), str(len(set(found.labels[rows].tolist()))))
    table.add_section()
    table.add_row("attributes", "", str(len(found.attribute_names)))
    table.add_row("split hash", "", found.split_hash)
    return table
