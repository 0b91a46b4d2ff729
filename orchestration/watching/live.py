"""The observer that shows a sweep in its own terminal: a live table, or lines where it is none."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live

from drmn.config_tree import Scalar
from orchestration.events import Change, Fate, TrialObserver
from orchestration.ledger import TrialHistory
from orchestration.progress import TrialLines
from orchestration.request import SweepRequest
from orchestration.watching.board import board
from orchestration.watching.table import board_table

REFRESH_HZ = 2.0
_FRAME = 8
"""Lines of the terminal that are not rows."""


def trial_display(console: Console, request: SweepRequest) -> "TrialTable | TrialLines":
    """A table on a terminal, lines elsewhere."""
    lines = TrialLines(console, request.objective, request.config.training.epochs)
    if not console.is_terminal or console.is_dumb_terminal or console.quiet:
        return lines
    return TrialTable(console, request, lines)


class TrialTable(TrialObserver):
    """Redraws twice a second while it is entered; what ends badly is also said in a line."""

    def __init__(self, console: Console, request: SweepRequest, lines: TrialLines) -> None:
        self._console = console
        self._request = request
        self._lines = lines
        self._histories: dict[str, TrialHistory] = {}
        self._live: Live | None = None

    def know(self, histories: Mapping[str, TrialHistory]) -> None:
        """Trials that an earlier driver began."""
        self._histories.update(histories)

    def __enter__(self) -> None:
        self._live = Live(
            console=self._console, refresh_per_second=REFRESH_HZ, get_renderable=self._table
        )
        self._live.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        assert self._live is not None
        self._live.stop()
        self._live = None

    def started(self, trial: str, overrides: Mapping[str, Scalar]) -> None:
        """See TrialObserver."""
        self._histories.setdefault(trial, TrialHistory(overrides=dict(overrides))).go_on()

    def epoch_ended(self, trial: str, epoch: int, metrics: Mapping[str, Any]) -> None:
        """See TrialObserver."""
        numbers = {key: value for key, value in metrics.items() if "/" in key}
        self._histories[trial].epochs.setdefault(epoch, numbers)

    def changed(self, trial: str, change: Change) -> None:
        """See TrialObserver."""
        self._histories[trial].changes[change.epoch] = change
        self._lines.changed(trial, change)

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        """See TrialObserver."""
        history = self._histories.setdefault(trial, TrialHistory(overrides={}))
        history.fate, history.reason = fate, reason
        if reason or self._live is None:
            self._lines.ended(trial, fate, epoch, reason)

    def _table(self) -> Any:
        found = board(self._request, dict(self._histories), is_running=True)
        return board_table(self._request, found, self._console.height - _FRAME)
