"""One search on pretend nodes: prints a JSON object. Run by ``scale.py``, in a fresh process.

Tune's controller, our searcher, pruner, ledger and MLflow writer are the product's own.
"""

import argparse
import json
import os
import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import ray
from pretend_trial import NUM_EPOCHS, Durations
from ray.tune.execution import tune_controller
from rich.console import Console
from scripted_trainable import ScriptedTrainable
from simulated_actors import PretendCluster, SimulatedActorManager
from simulated_clock import Record, SimulatedClock
from usage import summary

from drmn.presets import cub
from orchestration.cluster import cluster
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning_rule import PruningRule
from orchestration.request import Resources, SweepRequest
from orchestration.sampling import SamplerName, SamplerRule
from orchestration.searcher.asking import OptunaSearcher
from orchestration.searching import SearchParts, search
from orchestration.settings import Settings, read_settings
from orchestration.stopping.budget import Budget
from orchestration.tracking import Status, Tag, Tracker
from orchestration.trial_logging import SweepRun, TrialLogger
from search_spaces.registry import search_space

GPUS_PER_NODE = 8
DRAIN_S = 10.0
"""How long MLflow is waited for at the end: simulated hours leave it minutes."""


def simulate(
    settings: Settings, pretended: PretendCluster, request: SweepRequest
) -> dict[str, object]:
    """One search from its first to its last trial; needs a connection to Ray."""
    folder = settings.sweep_folder(request.name)
    ledger = Ledger(folder / LEDGER_FILE)
    tracker = Tracker(settings, request.name, folder)
    parent = tracker.open_run(request.key, "sweep", {Tag.SWEEP: request.name})
    run = SweepRun(run_id=parent, sweep=request.key, tags={}, config=request.config)
    parts = SearchParts(
        folder=folder,
        ledger=ledger,
        context=None,  # type: ignore[arg-type]  # no trial is made
        logger=TrialLogger(tracker, run),
        trainable=ScriptedTrainable,
    )
    before = _used()
    began_s = pretended.clock.now_s()
    with pretending(pretended), (folder / "console.txt").open("w") as lines:
        search(request, settings, Console(file=lines), parts)
    after = _used()
    tracker.close_run(parent, Status.FINISHED)
    left, started = tracker._outbox.num_left, time.monotonic()
    num_undelivered = tracker.finish(DRAIN_S).num_left
    fates = [fate.value for fate in ledger.fates().values()]
    return {
        "num_trials": len(fates),
        "num_asked_for": request.num_trials,
        "sampler": str(request.sampler.name),
        "num_slots": pretended.num_slots,
        **summary(pretended.record, began_s, pretended.num_slots),
        "driver_cpu_s": after["cpu_s"] - before["cpu_s"],
        "driver_main_cpu_s": after["main_cpu_s"] - before["main_cpu_s"],
        "mlflow_cpu_s": after["mlflow_cpu_s"] - before["mlflow_cpu_s"],
        "wall_s": after["wall_s"] - before["wall_s"],
        "peak_bytes_before": before["peak_bytes"],
        "peak_bytes": after["peak_bytes"],
        "spool_left": left,
        "drain_s": time.monotonic() - started,
        "undelivered": num_undelivered,
        "fates": {fate: fates.count(fate) for fate in sorted(set(fates))},
    }


@contextmanager
def pretending(pretended: PretendCluster) -> Iterator[None]:
    """For the time of a ``with``: pretend actors for Tune, timed asks, counted syncs."""
    real_manager, real_suggest = tune_controller.RayActorManager, OptunaSearcher.suggest
    real_fsync = os.fsync

    def timed(searcher: OptunaSearcher, trial_id: str) -> dict[str, Any] | str:
        started = time.monotonic()
        suggestion = real_suggest(searcher, trial_id)
        pretended.record.ask_s.append(time.monotonic() - started)
        return suggestion

    def charged(file: int) -> None:
        pretended.record.num_fsyncs += 1
        if pretended.fsync_s is None:
            real_fsync(file)
        else:
            pretended.clock.add(pretended.fsync_s)

    os.fsync = charged
    tune_controller.RayActorManager = partial(SimulatedActorManager, cluster=pretended)
    OptunaSearcher.suggest = timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        os.fsync = real_fsync
        tune_controller.RayActorManager = real_manager
        OptunaSearcher.suggest = real_suggest  # type: ignore[method-assign]


def sweep_request(
    settings: Settings, num_slots: int, num_trials: int, sampler: SamplerName, limit_s: float
) -> SweepRequest:
    """A search with ASHA; after ``limit_s`` of the real clock it begins no more trials."""
    return SweepRequest(
        name="scale",
        variant="+ensemble",
        config=cub().with_overrides({"training.epochs": NUM_EPOCHS}),
        space=search_space("cub"),
        data_root=settings.data_root,
        num_trials=num_trials,
        max_concurrent=num_slots,
        resources=Resources(cpus=1.0, gpus=1.0),
        pruning=PruningRule(grace_period=1, reduction_factor=4),  # Li et al. 2020 use eta = 4
        sampler=SamplerRule(name=sampler),
        budget=Budget(wall_h=limit_s / 3600),
    )


def _used() -> dict[str, float]:
    """Seconds and bytes of this process so far."""
    clocks = [
        time.pthread_getcpuclockid(thread.ident)
        for thread in threading.enumerate()
        if thread.name.startswith("mlflow") and thread.ident is not None
    ]
    return {
        "cpu_s": time.process_time(),
        "main_cpu_s": time.thread_time(),
        "mlflow_cpu_s": sum(map(time.clock_gettime, clocks)),
        "wall_s": time.monotonic(),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--sampler", type=SamplerName, default=SamplerName.TPE)
    parser.add_argument("--epoch-s", type=float, default=Durations().epoch)
    parser.add_argument("--wait-s-per-future", type=float, default=0.0)
    parser.add_argument("--call-s", type=float, default=0.0)
    parser.add_argument("--fsync-s", type=float, help="charged instead of syncing")
    parser.add_argument("--limit-s", type=float, default=250.0, help="of the real clock")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    settings = read_settings()
    pretended = PretendCluster(
        num_slots=arguments.nodes * GPUS_PER_NODE,
        durations=Durations(epoch=arguments.epoch_s),
        clock=SimulatedClock(),
        record=Record(),
        wait_s_per_future=arguments.wait_s_per_future,
        call_s=arguments.call_s,
        fsync_s=arguments.fsync_s,
    )
    request = sweep_request(
        settings, pretended.num_slots, arguments.trials, arguments.sampler, arguments.limit_s
    )
    with cluster(None):
        found = simulate(settings, pretended, request)
        found["num_ray_actors"] = len(ray._private.state.actors())
    arguments.output.write_text(json.dumps({"nodes": arguments.nodes, **found}) + "\n")


if __name__ == "__main__":
    main()
