"""How loudly a command speaks, and on which stream: chosen by its ``-v``, ``-q`` and ``--json``."""

import io
import json
import logging
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console

PANEL = "Output"

Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="The result as one JSON document on stdout; all else goes to stderr.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True, kw_only=True)
class Manner:
    """``verbose``: tracebacks, the libraries' logs, every epoch; ``quiet``: the result alone."""

    verbose: bool = False
    quiet: bool = False


_current = Manner()


def set_manner(chosen: Manner) -> None:
    """Have everything from now on speak like this; a command does so when it begins."""
    global _current
    _current = chosen
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no text
    level = logging.INFO if chosen.verbose else logging.WARNING
    logging.getLogger("drmn").setLevel(logging.ERROR if chosen.quiet else level)
    if chosen.verbose:
        logging.basicConfig(format="%(name)s: %(message)s")


def manner() -> Manner:
    """What was chosen last."""
    return _current


def progress_console(*, as_json: bool = False) -> Console:
    """For what is under way: stdout, stderr beside a JSON result, nowhere with ``-q``."""
    return Console(stderr=as_json, soft_wrap=True, quiet=_current.quiet)


def result_console() -> Console:
    """For what was asked for: stdout."""
    return Console(soft_wrap=True)


def error_console() -> Console:
    """For what went wrong: stderr."""
    return Console(stderr=True, soft_wrap=True)


def print_json(content: Any) -> None:
    """A result for machines."""
    typer.echo(json.dumps(content, indent=1))
