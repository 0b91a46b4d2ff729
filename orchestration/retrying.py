"""A trial whose process is lost, or whose share of a GPU is too small, goes on from its checkpoint.

A lost process is replaced by another. A trial that runs out of a GPU's memory on a share of one is
tried once more on a whole one. Every other error is the trial's end.
"""

import logging
from typing import Any

import torch
from ray import tune
from ray.exceptions import RayActorError, RayTaskError
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler

from drmn.errors import REMEDY_MARK, DeviceMemoryError, DrmnError

MAX_LOSSES = 3
"""How many processes one trial may lose before it counts as failed."""

_log = logging.getLogger("drmn")


class LossTolerantTrial(Trial):  # type: ignore[misc, unused-ignore]
    """Tune counts losses of a process and errors of the training alike; here errors are final.

    Attributes:
        failure_reason: of its last error, in words; "" before one.
    """

    failure_reason = ""
    _wants_whole_gpu = False

    def handle_error(self, exc: Exception | None = None) -> None:
        """Tune's hook, before it asks whether to try again."""
        super().handle_error(exc)
        self.failure_reason = _reason(exc)
        if isinstance(exc, RayTaskError) and not isinstance(exc.cause, DrmnError):
            _log.error("%s failed", self, exc_info=exc)  # no mistake of the user's
        if isinstance(exc, RayActorError) and not exc.actor_init_failed:
            return
        if _is_out_of_device_memory(exc) and 0 < num_gpus(self) < 1:
            self._wants_whole_gpu = True
            _log.warning("%s; once more on a whole GPU: %s", self, self.failure_reason)
            return
        self.run_metadata.num_failures = max(self.run_metadata.num_failures, self.max_failures + 1)

    def enlarge(self) -> None:
        """Reserve a whole GPU, if that is what the trial waits for; it does not run now."""
        if self._wants_whole_gpu and self.status != Trial.RUNNING:
            held = self.placement_group_factory.required_resources
            bundle = {**held, "GPU": 1.0}
            self.update_resources(tune.PlacementGroupFactory([bundle]))
            self._wants_whole_gpu = False


def tolerate_losses(trial: Trial) -> None:
    """Make a trial that Tune has created one that is retried as this module says."""
    trial.__class__ = LossTolerantTrial


class LossTolerantScheduler(FIFOScheduler):  # type: ignore[misc, unused-ignore]
    """Trials in the order they come, each retried as this module says."""

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Tune's hook: it has created a trial of its own class."""
        tolerate_losses(trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Tune's hook: the trial has stopped and, if it is retried, is about to wait again."""
        if isinstance(trial, LossTolerantTrial):
            trial.enlarge()


def num_gpus(trial: Trial) -> float:
    """GPUs that a trial reserves."""
    return float(trial.placement_group_factory.required_resources.get("GPU", 0.0))


def failure_reason(trial: Trial) -> str:
    """Why a trial failed, in one line."""
    return getattr(trial, "failure_reason", "") or "unknown error"


def _is_out_of_device_memory(exc: Any) -> bool:
    cause = getattr(exc, "cause", None)
    return isinstance(cause, DeviceMemoryError | torch.cuda.OutOfMemoryError)


def _reason(exc: Any) -> str:
    cause = getattr(exc, "cause", None)
    if isinstance(cause, DrmnError):
        return cause.message
    without_remedy = str(exc).partition(REMEDY_MARK)[0]
    return (without_remedy.strip() or "unknown error").splitlines()[-1]
