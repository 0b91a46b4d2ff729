"""How every trial of a sweep stands and what is still to come, from its ledger alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from drmn.names import TIME_EPOCH_S
from orchestration.events import Fate
from orchestration.ledger import TrialHistory
from orchestration.objective import gain
from orchestration.pruning.choice import build_rule
from orchestration.pruning.halving import Hyperband, SuccessiveHalving
from orchestration.request import SweepRequest
from orchestration.stopping.budget import OPEN_ENDED

RUNNING, UNFINISHED = "running", "unfinished"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial; times in seconds of training.

    ``rung`` is how many of its pruning rungs it has reached, and of how many; "" without rungs.
    ``left_s`` is what it needs to its last epoch; None: it does not run, or nothing is known.
    """

    trial: str
    state: str
    rung: str
    epoch: int
    best: float | None
    cost_s: float
    left_s: float | None


@dataclass(frozen=True, kw_only=True)
class Board:
    """All begun trials, and the sweep as a whole.

    ``num_trials`` is None where only a budget ends the search.
    ``left_s`` is the time to the last trial's end, were those to come like those that have ended:
    a guess that pruning makes smaller or larger; None: too little is known.
    """

    rows: tuple[Row, ...]
    num_ended: int
    num_trials: int | None
    num_running: int
    best: Row | None
    left_s: float | None

    @property
    def cost_s(self) -> float:
        """Of all trials so far."""
        return sum(row.cost_s for row in self.rows)


def board(
    request: SweepRequest, histories: Mapping[str, TrialHistory], *, is_running: bool
) -> Board:
    """From what the ledger knows; a trial without a fate runs only while a driver does."""
    milestones = _Milestones(request)
    rows = tuple(
        _row(request, trial, history, milestones, is_running=is_running)
        for trial, history in sorted(histories.items())
    )
    known = [row for row in rows if row.best is not None]
    return Board(
        rows=rows,
        num_ended=sum(history.is_over for history in histories.values()),
        num_trials=None if request.num_trials == OPEN_ENDED else request.num_trials,
        num_running=sum(row.state == RUNNING for row in rows),
        best=max(known, key=lambda row: row_gain(request, row), default=None),
        left_s=_left_s(request, rows),
    )


def row_gain(request: SweepRequest, row: Row) -> float:
    """Its best, turned so that higher is better; minus infinity before its first epoch."""
    if row.best is None:
        return -math.inf
    return gain(request.objective, {request.objective: row.best})


class _Milestones:
    """The rungs' epochs of each trial."""

    def __init__(self, request: SweepRequest) -> None:
        epochs = request.config.training.epochs
        self._rule = build_rule(request.pruning, epochs, request.seed)

    def of(self, trial: str) -> list[int]:
        if isinstance(self._rule, SuccessiveHalving):
            return self._rule.milestones()
        if isinstance(self._rule, Hyperband):
            return self._rule.brackets[self._rule.bracket(trial)].milestones()
        return []


def _row(
    request: SweepRequest,
    trial: str,
    history: TrialHistory,
    milestones: _Milestones,
    *,
    is_running: bool,
) -> Row:
    rungs, last = milestones.of(trial), history.last_epoch
    best = history.best(request.objective)
    cost_s = sum(metrics.get(TIME_EPOCH_S, 0.0) for metrics in history.epochs.values())
    runs = history.fate is None and is_running
    left = request.config.training.epochs - last
    state = history.fate.value if history.fate else (RUNNING if runs else UNFINISHED)
    return Row(
        trial=trial,
        state=state,
        rung=f"{sum(epoch <= last for epoch in rungs)}/{len(rungs)}" if rungs else "",
        epoch=last,
        best=history.epochs[best][request.objective] if best else None,
        cost_s=cost_s,
        left_s=left * cost_s / last if runs and last else None,
    )


def _left_s(request: SweepRequest, rows: tuple[Row, ...]) -> float | None:
    running = [row for row in rows if row.state == RUNNING]
    left_s = [row.left_s for row in running if row.left_s is not None]
    ended = [row for row in rows if row.state in (Fate.COMPLETE.value, Fate.PRUNED.value)]
    if request.num_trials == OPEN_ENDED or not ended or not running or len(left_s) < len(running):
        return None
    num_waiting = request.num_trials - len(rows)
    to_come_s = num_waiting * sum(row.cost_s for row in ended) / len(ended)
    return (to_come_s + sum(left_s)) / len(running)
