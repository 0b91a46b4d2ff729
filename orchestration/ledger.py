"""The sweep's own record of every epoch: one JSON line each, on disk before anything uses it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drmn.config_tree import Scalar
from drmn.errors import DrmnError
from orchestration.events import Fate


@dataclass(frozen=True, kw_only=True)
class Winner:
    """The best epoch of the best trial, by the objective on validation."""

    trial: str
    epoch: int
    overrides: dict[str, Scalar]
    metrics: dict[str, float]


class Ledger:
    """An observer that appends to ``file``; reading it back gives the winner and the counts."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file

    def started(self, trial: str, overrides: Mapping[str, Scalar]) -> None:
        """See TrialObserver."""
        self._append({"trial": trial, "overrides": dict(overrides)})

    def epoch_ended(self, trial: str, epoch: int, metrics: Mapping[str, Any]) -> None:
        """See TrialObserver."""
        numbers = {key: value for key, value in metrics.items() if "/" in key}
        self._append({"trial": trial, "epoch": epoch, "metrics": numbers})

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        """See TrialObserver."""
        self._append({"trial": trial, "fate": fate.value, "last_epoch": epoch, "reason": reason})

    def winner(self, objective: str) -> Winner:
        """The best epoch of all; the earliest of equals.

        Raises:
            DrmnError: no trial ended an epoch.
        """
        entries = self._entries()
        epochs = [entry for entry in entries if "epoch" in entry]
        if not epochs:
            reasons = sorted({e["reason"] for e in entries if e.get("reason")})
            raise DrmnError(
                f"no trial ended an epoch; reasons: {'; '.join(reasons) or 'none was started'}",
                f"every event is in {self._file}",
            )
        best = max(epochs, key=lambda entry: (entry["metrics"][objective], -entry["epoch"]))
        overrides = next(
            e["overrides"] for e in entries if e["trial"] == best["trial"] and "overrides" in e
        )
        return Winner(
            trial=best["trial"],
            epoch=best["epoch"],
            overrides=overrides,
            metrics=best["metrics"],
        )

    def fates(self) -> dict[str, Fate]:
        """How each ended trial ended."""
        return {e["trial"]: Fate(e["fate"]) for e in self._entries() if "fate" in e}

    def _append(self, entry: dict[str, Any]) -> None:
        with self._file.open("a") as handle:
            handle.write(json.dumps(entry) + "\n")

    def _entries(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text().splitlines()]
