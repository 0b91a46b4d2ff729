"""``drmn runs publish`` and ``drmn runs fetch``: a finished sweep's files by way of a bucket."""

from typing import Annotated

import typer
from rich.console import Console

from drmn.errors import ConfigError
from orchestration.publishing import fetch_sweep, publish_sweep, result_store
from orchestration.request_file import REQUEST_FILE, load_request
from orchestration.settings import read_settings

SweepName = Annotated[str, typer.Argument(help="Of a sweep.")]


def publish(name: SweepName) -> None:
    """Store a sweep's results, final models and logits in DRMN_RESULT_STORE."""
    settings = read_settings()
    folder = settings.sweep_folder(name)
    load_request(folder)
    num_files = publish_sweep(folder, name, result_store(settings))
    Console(soft_wrap=True).print(f"{num_files} files of {name} are stored", highlight=False)


def fetch(name: SweepName) -> None:
    """Bring a published sweep here; every file is compared with its SHA-256."""
    settings = read_settings()
    folder = settings.sweep_folder(name)
    if (folder / REQUEST_FILE).exists():
        raise ConfigError(f"the sweep {name!r} is here already, in {folder}")
    num_files = fetch_sweep(name, folder, result_store(settings))
    Console(soft_wrap=True).print(f"{num_files} files are in {folder}", highlight=False)
