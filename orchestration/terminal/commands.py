"""A function becomes a command: with examples, ``-v`` and ``-q``, and no traceback for mistakes."""

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from drmn.errors import ConfigError, DrmnError
from orchestration.stopping.brake import end_now
from orchestration.terminal.disk import disk_trouble
from orchestration.terminal.exits import MEANINGS
from orchestration.terminal.failures import tell_error, tell_interrupt, tell_unexpected
from orchestration.terminal.manner import PANEL, Manner, error_console, set_manner
from orchestration.terminal.memory import memory_trouble, warning_of_limit
from orchestration.terminal.suggestions import Command, Group

CONTEXT = {"help_option_names": ["-h", "--help"]}

_Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Say more: tracebacks, the logs of Ray.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]
_Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Say nothing but the result and errors.",
        rich_help_panel=PANEL,
        show_default=False,
    ),
]


def make_group(name: str, about: str, *, epilog: str = "", completion: bool = False) -> typer.Typer:
    """An application, or a group of its commands."""
    return typer.Typer(
        name=name,
        help=about,
        epilog=epilog or None,
        cls=Group,
        no_args_is_help=True,
        add_completion=completion,
        context_settings=CONTEXT,
        pretty_exceptions_enable=False,
    )


def make_program(name: str, function: Callable[..., None], examples: Sequence[str]) -> typer.Typer:
    """A program that is one command."""
    app = typer.Typer(name=name, context_settings=CONTEXT, pretty_exceptions_enable=False)
    add_command(app, name, function, examples=examples)
    return app


def add_command(
    app: typer.Typer,
    name: str,
    function: Callable[..., None],
    *,
    examples: Sequence[str] = (),
    panel: str | None = None,
) -> None:
    """Make ``function`` the command ``name``; its options are the function's parameters."""
    epilog = "\n".join(["Examples:", *(f"  {each}" for each in examples)]) if examples else None
    command = app.command(name, cls=Command, epilog=epilog, rich_help_panel=panel)
    command(_guarded(function))


def exit_codes() -> str:
    """For a help page's end."""
    return "\n".join(["Exit codes:", *(f"  {code:>3}  {text}" for code, text in MEANINGS.items())])


def run(app: typer.Typer) -> None:
    """Run a program's command line and exit; what nobody foresaw is kept in a log."""
    end_now()
    sys.excepthook = tell_unexpected
    typer.main.get_command(app)()


def _guarded(function: Callable[..., None]) -> Callable[..., None]:
    """``function`` with ``-v`` and ``-q``, whose errors become messages and exit codes."""

    @functools.wraps(function)
    def command(*args: Any, verbose: bool = False, quiet: bool = False, **options: Any) -> None:
        try:
            set_manner(_chosen(verbose=verbose, quiet=quiet))
            if warning := warning_of_limit():
                error_console().print(f"warning: {warning}", highlight=False)
            function(*args, **options)
        except DrmnError as error:
            raise typer.Exit(tell_error(error)) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(tell_interrupt(error)) from error
        except (OSError, ImportError, MemoryError, RuntimeError) as error:
            if (trouble := _machine_trouble(error)) is None:
                raise
            raise typer.Exit(tell_error(trouble)) from error

    more = {"verbose": _Verbose, "quiet": _Quiet}
    signature = inspect.signature(function)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in more.items()
    ]
    parameters = [*signature.parameters.values(), *added]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {**function.__annotations__, **more}
    return command


def _machine_trouble(error: Exception) -> DrmnError | None:
    disk = disk_trouble(error) if isinstance(error, OSError) else None
    return disk or memory_trouble(error)


def _chosen(*, verbose: bool, quiet: bool) -> Manner:
    if verbose and quiet:
        raise ConfigError("--verbose and --quiet were both given", "give one of them")
    return Manner(verbose=verbose, quiet=quiet)
