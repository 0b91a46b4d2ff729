"""The same scripted trials into an MLflow by two writers: ours, and Ray's MLflowLoggerCallback.

Trials report in turn, epoch by epoch, as a control loop hears of them. Each report's call is timed:
it is what logging adds to an epoch, since the loop waits for it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import scripted
from ray.air.integrations.mlflow import MLflowLoggerCallback

from orchestration.settings import read_settings
from orchestration.tracking import Status, Tracker

PARAMS = {f"setting.{number}": f"{number / 7:.4f}" for number in range(20)}
_WAIT_S = 600.0


@dataclass(kw_only=True)
class Written:
    """How long it took until the store had all, and each report's call, in seconds."""

    num_metrics: int
    wall_s: float = 0.0
    calls_s: list[float] = field(default_factory=list)

    @property
    def metrics_per_s(self) -> float:
        return self.num_metrics / self.wall_s

    def timed(self, call: Callable[[], object]) -> None:
        """Make one report's call."""
        started = time.perf_counter()
        call()
        self.calls_s.append(time.perf_counter() - started)


def reported(trial: int, epoch: int) -> dict[str, float]:
    """The twelve metrics of an epoch."""
    return {name: number + trial for name, number in scripted.metrics(epoch).items()}


def write_ours(
    uri: str, experiment: str, folder: Path, num_trials: int, num_epochs: int
) -> Written:
    """Until :meth:`Tracker.finish` says that MLflow has everything."""
    written = Written(num_metrics=num_trials * num_epochs * len(reported(0, 1)))
    settings = read_settings({"DRMN_HOME": str(folder), "MLFLOW_TRACKING_URI": uri})
    started = time.perf_counter()
    tracker = Tracker(settings, experiment, folder / experiment)
    tracker.open_run("s", "sweep", {})
    keys = [tracker.open_run(f"s/{n}", f"trial {n}", {}, "s") for n in range(num_trials)]
    for key in keys:
        tracker.log_params(key, PARAMS)
    for epoch in range(1, num_epochs + 1):
        for number, key in enumerate(keys):
            report = reported(number, epoch)
            written.timed(lambda k=key, r=report, e=epoch: tracker.log_metrics(k, r, e))
    for key in (*keys, "s"):
        tracker.close_run(key, Status.FINISHED)
    outcome = tracker.finish(_WAIT_S)
    written.wall_s = time.perf_counter() - started
    assert not outcome.message, outcome.message
    return written


class _Trial:
    """What the callback asks of Ray's."""

    config = PARAMS

    def __init__(self, number: int) -> None:
        self.number = number

    def __str__(self) -> str:
        return f"trial {self.number}"


def write_stock(
    uri: str, experiment: str, folder: Path, num_trials: int, num_epochs: int
) -> Written:
    """Ray's callback, called as Tune calls it; it logs training_iteration as a metric, too."""
    written = Written(num_metrics=num_trials * num_epochs * (1 + len(reported(0, 1))))
    started = time.perf_counter()
    callback = MLflowLoggerCallback(tracking_uri=uri, experiment_name=experiment)
    callback.setup()
    trials = [_Trial(number) for number in range(num_trials)]
    for trial in trials:
        callback.log_trial_start(trial)
    for epoch in range(1, num_epochs + 1):
        for trial in trials:
            report = {**reported(trial.number, epoch), "training_iteration": epoch}
            written.timed(lambda t=trial, r=report, e=epoch: callback.log_trial_result(e, t, r))
    for trial in trials:
        callback.log_trial_end(trial)
    written.wall_s = time.perf_counter() - started
    return written
