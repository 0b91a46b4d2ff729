"""``drmn runs watch``: a running sweep's trials in another terminal."""

from typing import Annotated

import typer
from rich.console import Console

from drmn.errors import ConfigError
from orchestration.cli_options import complete_sweep
from orchestration.request_file import REQUEST_FILE
from orchestration.settings import Settings, read_settings
from orchestration.terminal.manner import Json, print_json, result_console

_ALL_ROWS = 10_000


def watch(
    name: Annotated[
        str | None,
        typer.Argument(help="Of a sweep; default: the latest.", autocompletion=complete_sweep),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="One picture, then end.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between pictures.")] = 2.0,
    as_json: Json = False,
) -> None:
    """Show the trials of a sweep as it goes: state, rung, epoch, best, cost and what is left.

    It reads the sweep's files and disturbs nothing; without a terminal it is as with --once.
    """
    from orchestration.watching.following import Followed, follow

    settings, console = read_settings(), result_console()
    chosen = name or _latest(settings)
    followed = Followed(settings.sweep_folder(chosen), settings)
    if as_json:
        print_json(followed.content())
    elif once or not console.is_terminal or console.is_dumb_terminal:
        console.print(followed.picture(_ALL_ROWS), highlight=False)
    else:
        follow(followed, Console(), interval)  # which folds what is too long


def _latest(settings: Settings) -> str:
    """The sweep whose ledger or request was written last."""
    paths = list((settings.home / "sweeps").glob(f"*/{REQUEST_FILE}"))
    if not paths:
        raise ConfigError(
            f"there is no sweep in {settings.home}", "begin one: drmn-sweep --dataset sprites"
        )
    return max(paths, key=lambda path: path.parent.stat().st_mtime).parent.name
