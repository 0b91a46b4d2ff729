"""The sweep's own record of every epoch: one JSON line each, on disk before anything uses it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ray.tune.result import NODE_IP

from drmn.atomic import append_line
from drmn.config_tree import Scalar
from drmn.errors import DataError, DrmnError
from drmn.reading import FAULTS, shortened
from orchestration.events import SINCE, Change, Fate
from orchestration.ledger_entries import checked_entry
from orchestration.objective import gain, gains

LEDGER_FILE = "ledger.jsonl"
"""Its name in a sweep's folder."""


@dataclass(frozen=True, kw_only=True)
class Winner:
    """One epoch of one trial: the best, or one of a Pareto front, on validation."""

    trial: str
    epoch: int
    overrides: dict[str, Scalar]
    metrics: dict[str, float]


@dataclass(kw_only=True)
class TrialHistory:
    """One trial, as the ledger knows it; ``overrides`` are those it began with."""

    overrides: dict[str, Scalar]
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    changes: dict[int, Change] = field(default_factory=dict)
    """By the epoch they follow."""
    fate: Fate | None = None
    reason: str = ""

    @property
    def last_epoch(self) -> int:
        """0 before the first epoch has ended."""
        return max(self.epochs, default=0)

    def best(self, objective: str) -> int:
        """The epoch with the best value, the earliest of equals; 0 before the first."""
        return max(self.epochs, key=lambda epoch: gain(objective, self.epochs[epoch]), default=0)

    def overrides_at(self, epoch: int) -> dict[str, Scalar]:
        """What ``epoch``, from 1, was trained with."""
        before = [after for after in self.changes if after < epoch]
        return self.changes[max(before)].overrides if before else self.overrides

    @property
    def is_over(self) -> bool:
        """Whether it has a fate that nothing can follow."""
        return self.fate is not None and self.fate.is_final

    def go_on(self) -> None:
        """Forget that it was stopped."""
        if not self.is_over:
            self.fate, self.reason = None, ""


class Ledger:
    """An observer that appends to ``file``; reading it back gives the winner and the counts."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def begin_attempt(self) -> int:
        """The number of this driver's life, from 1, written down."""
        attempt = 1 + self.num_attempts()
        self._append({"attempt": attempt})
        return attempt

    def num_attempts(self) -> int:
        """How many drivers the sweep has had."""
        return sum("attempt" in entry for entry in self._entries())

    def started(self, trial: str, overrides: Mapping[str, Scalar]) -> None:
        """See TrialObserver."""
        self._append({"trial": trial, "overrides": dict(overrides)})

    def epoch_ended(self, trial: str, epoch: int, metrics: Mapping[str, Any]) -> None:
        """See TrialObserver."""
        numbers = {key: value for key, value in metrics.items() if "/" in key}
        where = {key: metrics[key] for key in (NODE_IP, SINCE) if key in metrics}
        self._append({"trial": trial, "epoch": epoch, **where, "metrics": numbers})

    def changed(self, trial: str, change: Change) -> None:
        """See TrialObserver."""
        self._append({"trial": trial, "change": {**asdict(change), "donor_epoch": change.epoch}})

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        """See TrialObserver."""
        self._append({"trial": trial, "fate": fate.value, "last_epoch": epoch, "reason": reason})

    def winner(self, *objectives: str) -> Winner:
        """The best epoch of all by the first objective; the earliest of equals.

        Raises:
            DrmnError: no trial ended an epoch.
        """
        return self._ranked(objectives)[0]

    def front(self, first: str, second: str) -> list[Winner]:
        """Epochs that none other equals in one objective and beats in the other, best first."""
        front: list[Winner] = []
        for epoch in self._ranked((first, second)):
            value = gain(second, epoch.metrics)
            if not front or value > gain(second, front[-1].metrics):
                front.append(epoch)
        return front

    def _ranked(self, objectives: Sequence[str]) -> list[Winner]:
        """Every epoch of every trial, best first: by the first objective, then by the second."""
        histories = self.histories()
        epochs = [
            Winner(trial=trial, epoch=epoch, overrides=history.overrides_at(epoch), metrics=metrics)
            for trial, history in sorted(histories.items())
            for epoch, metrics in sorted(history.epochs.items())
        ]
        if not epochs:
            reasons = sorted({h.reason for h in histories.values() if h.reason})
            raise DrmnError(
                f"no trial ended an epoch; reasons: {'; '.join(reasons) or 'none was started'}",
                f"every event is in {self._file}",
            )
        by_epoch = sorted(epochs, key=lambda each: each.epoch)
        return sorted(by_epoch, key=lambda each: gains(objectives, each.metrics), reverse=True)

    def histories(self) -> dict[str, TrialHistory]:
        """Every started trial with all of its epochs, each once, and its fate if it has one.

        Raises:
            DataError: a line is damaged, or one that it needs is absent.
        """
        histories: dict[str, TrialHistory] = {}
        for entry in self._entries():
            if "overrides" in entry:
                new = TrialHistory(overrides=entry["overrides"])
                histories.setdefault(entry["trial"], new).go_on()
            elif "trial" in entry:
                self._extend(histories, entry)
        return histories

    def _extend(self, histories: dict[str, TrialHistory], entry: dict[str, Any]) -> None:
        if entry["trial"] not in histories:
            raise DataError(
                f"{self._file}: the trial {entry['trial']!r} goes on, but has not begun",
                "restore the line that began it, or remove those of that trial",
            )
        history = histories[entry["trial"]]
        if "change" in entry:
            raw = {key: entry["change"][key] for key in ("epoch", "donor", "overrides")}
            history.changes[raw["epoch"]] = Change(**raw)
        elif "epoch" in entry:
            history.epochs.setdefault(entry["epoch"], entry["metrics"])
        elif "fate" in entry:
            history.fate, history.reason = Fate(entry["fate"]), entry["reason"]

    def epochs(self) -> list[tuple[str, int, dict[str, float]]]:
        """Trial, epoch and metrics in the order epochs ended; one that was repeated, once."""
        found: dict[tuple[str, int], dict[str, float]] = {}
        for entry in self._entries():
            if "epoch" in entry:
                found.setdefault((entry["trial"], entry["epoch"]), entry["metrics"])
        return [(trial, epoch, metrics) for (trial, epoch), metrics in found.items()]

    def fates(self) -> dict[str, Fate]:
        """How each trial ended that is not under way."""
        return {name: h.fate for name, h in self.histories().items() if h.fate is not None}

    def _append(self, entry: dict[str, Any]) -> None:
        append_line(self._file, json.dumps(entry))

    def _entries(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        lines = self._file.read_bytes().split(b"\n")
        return [
            self._parsed(number, line)  # what follows the last "\n" was cut off
            for number, line in enumerate(lines[:-1], start=1)
        ]

    def _parsed(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            return checked_entry(json.loads(line))
        except FAULTS as error:
            raise DataError(
                f"{self._file}: line {number} is damaged ({shortened(error)})",
                "remove that line: the epoch it held is trained again on resume",
            ) from error
