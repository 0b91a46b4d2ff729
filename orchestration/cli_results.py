"""``drmn runs publish`` and ``drmn runs fetch``: a finished sweep's files by way of a bucket."""

from typing import Annotated

import typer

from drmn.errors import ConfigError
from orchestration.cli_options import SweepName
from orchestration.request_file import REQUEST_FILE, load_request
from orchestration.settings import read_settings
from orchestration.terminal.manner import Json, print_json, progress_console, result_console


def publish(name: SweepName, as_json: Json = False) -> None:
    """Store a sweep's results, final models and logits in DRMN_RESULT_STORE."""
    from orchestration.publishing import publish_sweep, result_store

    settings = read_settings()
    folder = settings.sweep_folder(name)
    load_request(folder)
    with progress_console(as_json=as_json).status(f"publishing {name}"):
        num_files = publish_sweep(folder, name, result_store(settings))
    if as_json:
        print_json({"sweep": name, "files": num_files})
    else:
        result_console().print(f"{num_files} files of {name} are stored", highlight=False)


def fetch(
    name: Annotated[str, typer.Argument(help="Of the published sweep, as where it ran.")],
    as_json: Json = False,
) -> None:
    """Bring a published sweep here; every file is compared with its SHA-256."""
    from orchestration.publishing import fetch_sweep, result_store

    settings = read_settings()
    folder = settings.sweep_folder(name)
    if (folder / REQUEST_FILE).exists():
        raise ConfigError(f"the sweep {name!r} is here already, in {folder}")
    with progress_console(as_json=as_json).status(f"fetching {name}"):
        num_files = fetch_sweep(name, folder, result_store(settings))
    if as_json:
        print_json({"sweep": name, "files": num_files, "folder": str(folder)})
    else:
        result_console().print(f"{num_files} files are in {folder}", highlight=False)
