"""One long search with pretended trials, watched: memory, descriptors, threads and disk.

Prints nothing; writes what it saw as JSON. Run by ``endurance.py``, in a fresh process and home.
``--outages`` has the simulated clock bring MLflow down for ten minutes of every hour, has some
trials fail, and stores checkpoints slowly at times.
"""

import argparse
import json
import os
import sqlite3
import threading
import time
from collections import Counter, deque
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from agreement import check_mended
from hard_times import AWAY_S, FailingTrial, is_away, outages
from pretend_trial import Durations
from rich.console import Console
from scale_run import pretending, sweep_request
from scripted_trainable import ScriptedTrainable
from simulated_actors import PretendCluster
from simulated_clock import Record, SimulatedClock

from orchestration import searching
from orchestration.cluster import cluster
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning_rule import Pruner, PruningRule
from orchestration.request import SweepRequest
from orchestration.sampling import SamplerName
from orchestration.searching import SearchParts, search
from orchestration.settings import Settings, read_settings
from orchestration.stopping.budget import Budget, Meter
from orchestration.tracking import Status, Tag, Tracker
from orchestration.tracking.lane import Pace
from orchestration.trial_logging import SweepRun, TrialLogger

EXPERIMENT = "drmn-cub"
DRAIN_S = 900.0
PACE = Pace(gather_s=0.1, first_retry_s=0.02, last_retry_s=0.1)
"""Of MLflow's lane, in real seconds: simulated hours are seconds."""
_SAMPLED_EVERY_S = 0.5


class _Last(deque):  # type: ignore[type-arg]
    """A list that keeps its end alone: what is measured is the driver, not its watcher."""

    def __init__(self) -> None:
        super().__init__(maxlen=100)
        self.num_added = 0

    def append(self, each: Any) -> None:
        self.num_added += 1
        super().append(each)


class _Lasts(dict):  # type: ignore[type-arg]
    def setdefault(self, key: Any, default: Any = None) -> Any:
        return super().setdefault(key, _Last())


def bounded_record() -> Record:
    """A record of the simulation that does not grow."""
    names = ("epochs", "between_s", "idle", "ask_s", "trial_starts")
    return Record(late_s=_Lasts(), handling_s=_Lasts(), **{name: _Last() for name in names})


@dataclass(kw_only=True)
class Watcher(threading.Thread):
    """Looks at this process twice a second."""

    record: Record
    home: Path
    samples: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    """Trials begun, resident bytes, descriptors, threads, bytes on disk but in MLflow."""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.is_over = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        process = psutil.Process()
        while not self.is_over.wait(_SAMPLED_EVERY_S):
            self.samples.append(
                (
                    self.record.trial_starts.num_added,  # type: ignore[attr-defined]
                    process.memory_info().rss,
                    process.num_fds(),
                    process.num_threads(),
                    _num_bytes(self.home / "ray"),
                )
            )


def watched(settings: Settings, request: SweepRequest, pretended: PretendCluster) -> dict[str, Any]:
    """One search, its books compared after."""
    folder = settings.sweep_folder(request.name)
    tracker = Tracker(settings, EXPERIMENT, folder, PACE)
    parent = tracker.open_run(request.key, "sweep", {Tag.SWEEP: request.name})
    run = SweepRun(run_id=parent, sweep=request.key, tags={}, config=request.config)
    parts = SearchParts(
        folder=folder,
        ledger=Ledger(folder / LEDGER_FILE),
        context=None,  # type: ignore[arg-type]  # no trial is made
        logger=TrialLogger(tracker, run),
        trainable=ScriptedTrainable,
    )
    watcher = Watcher(record=pretended.record, home=settings.home)
    began = time.monotonic()
    watcher.start()
    with pretending(pretended), (folder / "console.txt").open("w") as lines:
        search(request, settings, Console(file=lines), parts)
    took_s, num_left = time.monotonic() - began, tracker._outbox.num_left
    watcher.is_over.set()
    watcher.join()
    tracker.close_run(parent, Status.FINISHED)
    if is_away(pretended.clock, FailingTrial.began_s):
        pretended.clock.add(AWAY_S)
    outcome = tracker.finish(DRAIN_S)
    assert not outcome.message, outcome.message
    check_mended(settings.home, folder)
    return {
        "took_s": took_s,
        "waited_for_mlflow": num_left,
        "drained_s": time.monotonic() - began - took_s,
        **counted(settings.home, parts.ledger),
        "samples": watcher.samples,
    }


def counted(home: Path, ledger: Ledger) -> dict[str, Any]:
    """Rows of the ledger and of MLflow; folders of checkpoints by trial."""
    histories = ledger.histories().values()
    with closing(sqlite3.connect(home / "mlflow.db")) as database:
        (num_runs,) = database.execute("SELECT COUNT(*) FROM runs").fetchone()
        (num_rows,) = database.execute("SELECT COUNT(*) FROM metrics").fetchone()
    folders = Counter(path.parent for path in home.glob("ray/*/trial_*/checkpoint_*"))
    return {
        "num_trials": len(histories),
        "num_epochs": sum(len(each.epochs) for each in histories),
        "fates": dict(Counter(each.fate.value for each in histories if each.fate)),
        "mlflow_runs": num_runs,
        "mlflow_points": num_rows,
        "most_checkpoints_of_a_trial": max(folders.values()),
        "mlflow_db_bytes": (home / "mlflow.db").stat().st_size,
    }


def _num_bytes(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(root) / name).stat().st_size
            except FileNotFoundError:  # a checkpoint that was removed meanwhile
                continue
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--pruner", type=Pruner, default=Pruner.NONE)
    parser.add_argument("--outages", action="store_true")
    parser.add_argument("--hours", type=float, help="simulated, after which no trial begins")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    settings, clock = read_settings(), SimulatedClock()
    FailingTrial.clock, FailingTrial.began_s = clock, clock.now_s()
    FailingTrial.num_epochs, FailingTrial.can_fail = arguments.epochs, arguments.outages
    record, counts = bounded_record(), Counter[str]()
    pretended = PretendCluster(
        num_slots=arguments.slots,
        durations=Durations(),
        clock=clock,
        record=record,
        trial=FailingTrial,
    )
    base = sweep_request(settings, arguments.slots, arguments.trials, SamplerName.RANDOM, 3600.0)
    request = replace(
        base,
        config=base.config.with_overrides({"training.epochs": arguments.epochs}),
        pruning=PruningRule(pruner=arguments.pruner, grace_period=1, reduction_factor=2),
    )
    if arguments.hours:
        request = replace(request, budget=Budget(wall_h=arguments.hours))
        searching.Meter = partial(Meter, clock=clock.now_s)  # type: ignore[misc, assignment]
    with cluster(None):
        if arguments.outages:
            with outages(clock, FailingTrial.began_s, counts):
                found = watched(settings, request, pretended)
        else:
            found = watched(settings, request, pretended)
    found["simulated_h"] = (clock.now_s() - FailingTrial.began_s) / 3600
    arguments.output.write_text(json.dumps({**found, **counts}) + "\n")


if __name__ == "__main__":
    main()
