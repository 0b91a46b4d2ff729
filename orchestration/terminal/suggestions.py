"""A word that is almost another: what a misspelt option, value or name was meant to be."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

UsageError: type[Any] = typer.BadParameter.__mro__[1]
"""The error of a command line that cannot be parsed, wherever this typer keeps it."""
_NOT_A_CHOICE = re.compile(r"'(?P<given>[^']*)' is not one of (?P<choices>.+?)\.?$", re.DOTALL)


class Command(TyperCommand):
    """A command that says which option or choice was meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Click's step from words to parameters."""
        with _suggesting(_options(self.get_params(ctx))):
            return list(super().parse_args(ctx, args))


class Group(TyperGroup):
    """A group that also looks for a command in its other groups, and for a misspelt option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Click's step from words to parameters."""
        with _suggesting(_options(self.get_params(ctx))):
            return list(super().parse_args(ctx, args))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """Click's step from a word to a command."""
        try:
            return super().resolve_command(ctx, args)
        except UsageError as error:
            if "Did you mean" not in error.message and (found := self._elsewhere(args[0])):
                error.message = f"{error.message} Did you mean '{ctx.command_path} {found}'?"
            raise

    def _elsewhere(self, word: str) -> str:
        names = {
            name: f"{group} {name}"
            for group, command in self.commands.items()
            for name in getattr(command, "commands", {})
        }
        close = difflib.get_close_matches(word, names, n=1)
        return names[close[0]] if close else ""


@contextmanager
def _suggesting(options: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        name = getattr(error, "option_name", None)
        if name and getattr(error, "possibilities", None) is not None:
            close = difflib.get_close_matches(name, options, n=1, cutoff=0.5)
            error.possibilities = None
            error.message = f"No such option: {name}" + _asked(close)
        elif found := _NOT_A_CHOICE.search(str(error.message)):
            choices = re.findall(r"'([^']*)'", found["choices"])
            error.message += _asked(difflib.get_close_matches(found["given"], choices, n=1))
        raise


def _asked(close: Sequence[str]) -> str:
    return f". Did you mean {close[0]}?" if close else ""


def _options(params: Iterable[Any]) -> list[str]:
    return [word for param in params for word in (*param.opts, *param.secondary_opts)]
