"""What a terminal shows while a sweep runs: one line per event, plain where it is no terminal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from drmn.config_tree import Scalar
from orchestration.events import Change, Fate
from orchestration.objective import gain, shown


class TrialLines:
    """Prints each trial's start, its epochs and its end."""

    def __init__(self, console: Console, metric: str, num_epochs: int) -> None:
        self._console = console
        self._metric = metric
        self._num_epochs = num_epochs
        self._best: float | None = None

    def know(self, histories: Mapping[str, object]) -> None:
        """Trials that an earlier driver began: their lines were printed then."""

    def __enter__(self) -> None:
        """Nothing is to be prepared."""

    def __exit__(self, *_: object) -> None:
        """Nothing is to be tidied up."""

    def started(self, trial: str, overrides: Mapping[str, Scalar]) -> None:
        """See TrialObserver."""
        settings = (
            f"{path.rpartition('.')[2]}={_number(value)}"
            for path, value in sorted(overrides.items())
        )
        self._console.print(f"trial {trial}  start        {'  '.join(settings)}", highlight=False)

    def epoch_ended(self, trial: str, epoch: int, metrics: Mapping[str, Any]) -> None:
        """See TrialObserver."""
        value = metrics[self._metric]
        if self._best is None or gain(self._metric, metrics) > gain(
            self._metric, {self._metric: self._best}
        ):
            self._best = value
        self._console.print(
            f"trial {trial}  epoch {epoch:>2}/{self._num_epochs:<2}  {self._metric} "
            f"{shown(self._metric, value):>7}   best so far {shown(self._metric, self._best):>7}",
            highlight=False,
        )

    def changed(self, trial: str, change: Change) -> None:
        """See TrialObserver."""
        self._console.print(
            f"trial {trial}  goes on from trial {change.donor} after epoch {change.epoch}, with "
            f"{change.overrides['loss.schedule']}",
            highlight=False,
        )

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        """See TrialObserver."""
        text = {
            Fate.COMPLETE: "complete",
            Fate.PRUNED: f"pruned after epoch {epoch}",
            Fate.FAILED: f"failed after epoch {epoch}: {reason}",
            Fate.STOPPED: f"stopped after epoch {epoch}: {reason}",
        }[fate]
        style = "red" if fate is Fate.FAILED else None
        self._console.print(f"trial {trial}  {text}", style=style, highlight=False)


@contextmanager
def progress(console: Console, text: str) -> Iterator[Callable[[int, int], None]]:
    """What reports everything that takes more than two seconds: call it with done and total.

    A bar on a terminal; elsewhere a line for every tenth.
    """
    if not console.is_terminal:
        yield _Tenths(console, text)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Tenths:
    """A line whenever another tenth is done."""

    def __init__(self, console: Console, text: str) -> None:
        self._console = console
        self._text = text
        self._tenths = 0

    def __call__(self, done: int, total: int) -> None:
        tenths = 10 * done // max(1, total)
        if tenths > self._tenths:
            self._tenths = tenths
            self._console.print(f"{self._text}: {done} of {total}", highlight=False)


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
