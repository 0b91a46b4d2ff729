"""A sweep seen from another terminal: its folder is read again and again."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.request import SweepRequest
from orchestration.request_file import load_request
from orchestration.settings import Settings
from orchestration.stopping.driver import driver_of
from orchestration.stopping.state import describe_state
from orchestration.watching.board import Board, board
from orchestration.watching.links import Links, load_links
from orchestration.watching.table import board_table

_FRAME = 12


class Followed:
    """One sweep, by its folder.

    Raises:
        ConfigError: there is none.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.request: SweepRequest = load_request(folder)
        self._folder = folder
        self._settings = settings
        self._ledger = Ledger(folder / LEDGER_FILE)

    @property
    def is_running(self) -> bool:
        """Whether a process drives it."""
        return driver_of(self._folder) is not None

    @property
    def links(self) -> Links:
        """Where else it can be seen."""
        return load_links(self._folder, self._settings)

    def board(self) -> Board:
        """Now."""
        return board(self.request, self._ledger.histories(), is_running=self.is_running)

    def content(self) -> dict[str, Any]:
        """For machines."""
        state = describe_state(self.request, self._folder)
        found, links = asdict(self.board()), asdict(self.links)
        objective = self.request.objective
        return {
            "sweep": self.request.name,
            "state": state,
            "objective": objective,
            **found,
            "links": links,
        }

    def picture(self, max_rows: int) -> RenderableType:
        """For people."""
        state = describe_state(self.request, self._folder)
        table = board_table(self.request, self.board(), max_rows)
        return Group(table, Text("\n".join([f"state:   {state}", *self.links.lines()])))


def follow(followed: Followed, console: Console, interval_s: float) -> None:
    """Redraw until the sweep's driver has ended; Ctrl-C ends the watching alone."""
    rows = console.height - _FRAME
    with Live(followed.picture(rows), console=console, auto_refresh=False) as live:
        for _ in _ticks(followed, interval_s):
            live.update(followed.picture(console.height - _FRAME), refresh=True)


def _ticks(followed: Followed, interval_s: float) -> Iterator[None]:
    """Once more after the end, so that the last picture is of the end."""
    while followed.is_running:
        yield
        time.sleep(interval_s)
    yield
