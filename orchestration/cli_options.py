"""Options and arguments that several commands share, and what a shell completes them with."""

from pathlib import Path
from typing import Annotated

import typer

from drmn.errors import ConfigError
from drmn.presets import PRESETS
from orchestration.request_file import REQUEST_FILE
from orchestration.settings import Settings, read_settings

DATA = "Data and backbone"
RESOURCES = "Resources"
DATASET_HELP = "sprites, cub, sun, awa2, cifar-awa2 or a folder."


def _settings() -> Settings | None:
    try:
        return read_settings()
    except ConfigError:
        return None


def complete_dataset(incomplete: str) -> list[str]:
    """Presets and folders of the configured data root."""
    settings = _settings()
    folders = settings.data_root.glob("*/") if settings else []
    names = {*PRESETS, *(folder.name for folder in folders if folder.is_dir())}
    return [name for name in sorted(names) if name.startswith(incomplete)]


def complete_sweep(incomplete: str) -> list[str]:
    """Sweeps of this machine."""
    settings = _settings()
    paths = (settings.home / "sweeps").glob(f"*/{REQUEST_FILE}") if settings else []
    return sorted(path.parent.name for path in paths if path.parent.name.startswith(incomplete))


def complete_study(incomplete: str) -> list[str]:
    """Studies of this machine."""
    settings = _settings()
    paths = (settings.home / "studies").glob("*/study.json") if settings else []
    return sorted(path.parent.name for path in paths if path.parent.name.startswith(incomplete))


Dataset = Annotated[
    str,
    typer.Option(
        "--dataset",
        help=DATASET_HELP,
        rich_help_panel=DATA,
        autocompletion=complete_dataset,
    ),
]
Datasets = Annotated[
    list[str],
    typer.Option(
        "--dataset",
        help="Repeatable.",
        rich_help_panel=DATA,
        autocompletion=complete_dataset,
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", help="Holds one folder per data set.", rich_help_panel=DATA),
]
Backbone = Annotated[
    str | None,
    typer.Option(
        "--backbone", help="resnet101, resnet50, resnet18, densenet169.", rich_help_panel=DATA
    ),
]
Weights = Annotated[
    str | None,
    typer.Option("--weights", help="A file, 'imagenet' or 'none'.", rich_help_panel=DATA),
]
ImageSize = Annotated[
    int | None, typer.Option("--image-size", min=1, help="Pixels.", rich_help_panel=DATA)
]
Features = Annotated[
    str | None,
    typer.Option(
        "--features",
        help="A published store: s3://... or a folder; 'given': those of res101.mat.",
        rich_help_panel=DATA,
    ),
]
SweepName = Annotated[
    str,
    typer.Argument(help="As `drmn runs list` shows it.", autocompletion=complete_sweep),
]
StudyName = Annotated[
    str,
    typer.Argument(help="Name of a study that `drmn ablate` ran.", autocompletion=complete_study),
]
