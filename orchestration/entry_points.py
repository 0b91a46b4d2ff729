"""What the installed commands start: they say it in a sentence where the extra is not installed."""

import sys
from importlib import import_module
from types import ModuleType

EXIT_NOT_INSTALLED = 2
_OWN = ("drmn", "orchestration", "search_spaces")


def drmn() -> None:
    """``drmn``."""
    _cli().main()


def drmn_sweep() -> None:
    """``drmn-sweep``."""
    _cli().sweep_main()


def loaded(module: str) -> ModuleType:
    """A module of this package.

    Raises:
        ModuleNotFoundError: a package of the extra is not installed; the message names the remedy.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _OWN:
            raise
        raise ModuleNotFoundError(
            f"the package {missing!r} is not installed, but commands and sweeps need it: "
            "pip install 'drmn[orchestration]'",
            name=error.name,
        ) from error


def _cli() -> ModuleType:
    try:
        return loaded("orchestration.cli")
    except ModuleNotFoundError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(EXIT_NOT_INSTALLED)
