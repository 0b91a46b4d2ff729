"""How long each recovery took, as JSON; benchmarks/reliability.py makes a table of it."""

import datetime as dt
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from cluster_sweep import NUM_EPOCHS
from disturbances import Recovery

PLACE = "DRMN_RECOVERY_TABLE"
"""Environment variable: the JSON file to write."""


@dataclass(kw_only=True)
class Row:
    """One disturbed sweep; ``sweep_s`` counts from the disturbance to the sweep's end."""

    what: str
    recovery: Recovery | None = None
    num_repeated: int = 0
    sweep_s: float = 0.0


@dataclass(kw_only=True)
class RecoveryTable:
    """``rows`` are those that ended well."""

    undisturbed_s: float = 0.0
    began: float = field(default_factory=time.monotonic)
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def timed(self, what: str) -> Iterator[Row]:
        """A row for what is done inside."""
        row, started = Row(what=what), time.monotonic()
        yield row
        row.sweep_s = time.monotonic() - started

    def add(self, row: Row) -> None:
        """A case that ended well; the table is written where PLACE says, if it is set."""
        self.rows.append(row)
        if PLACE not in os.environ:
            return
        path = Path(os.environ[PLACE])
        path.write_text(
            json.dumps({**self._about(), "rows": [asdict(r) for r in self.rows]}, indent=1)
        )

    def _about(self) -> dict[str, str | float]:
        return {
            "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
            "cores": os.cpu_count() or 0,
            "machine": f"{platform.system()} {platform.machine()}",
            "ray": version("ray"),
            "python": platform.python_version(),
            "epochs": NUM_EPOCHS,
            "undisturbed_s": self.undisturbed_s,
            "took_s": time.monotonic() - self.began,
        }
