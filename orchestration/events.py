"""What happens to trials, told to observers in the sweep's own words instead of Tune's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from ray import tune
from ray.tune.experiment import Trial

from drmn.config_tree import Scalar
from drmn.names import EPOCH
from orchestration.retrying import failure_reason
from orchestration.stopping.brake import Brake

SINCE = "since"
"""Key of a trial's reports: after which epoch its process took it up; 0 for a new trial."""
TRIAL = "trial"
OVERRIDES = "overrides"
CHECKPOINTS = "checkpoints"
CHANGED = "changed"
"""The keys of a trial's Tune configuration; checkpoints to take up, newest first.

``changed``, where it is there, outweighs ``overrides``, which stay what the trial began with.
"""


@dataclass(frozen=True, kw_only=True)
class Change:
    """After ``epoch`` a trial took over the state that ``donor`` had after the same epoch.

    ``overrides`` are its settings from then on; their ``loss.schedule`` has the whole past.
    """

    epoch: int
    donor: str
    overrides: dict[str, Scalar]


class Fate(Enum):
    """How a trial ended, or that it was stopped before it did and can be continued."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_final(self) -> bool:
        """Whether nothing can follow."""
        return self is not Fate.STOPPED


class TrialObserver(Protocol):
    """Is told of every trial, in the order things happened."""

    def started(self, trial: str, overrides: Mapping[str, Scalar]) -> None:
        """A trial got its resources (again, after a restart)."""

    def epoch_ended(self, trial: str, epoch: int, metrics: Mapping[str, Any]) -> None:
        """One epoch's metrics."""

    def changed(self, trial: str, change: Change) -> None:
        """Between two epochs the trial moved to another's state and to other settings."""

    def ended(self, trial: str, fate: Fate, epoch: int, reason: str) -> None:
        """The trial is over; ``reason`` is empty unless it failed or was stopped."""


def trial_name(trial: Trial) -> str:
    """The sweep's own name of a trial, stable across restarts."""
    return str(trial.config[TRIAL])


class TrialEvents(tune.Callback):
    """Tune's callback that tells the observers."""

    def __init__(
        self,
        observers: Sequence[TrialObserver],
        *,
        num_epochs: int,
        brake: Brake,
        known: Mapping[str, int] | None = None,
    ) -> None:
        """``known``: last epoch of each trial that observers were told of by an earlier driver."""
        self._observers = observers
        self._num_epochs = num_epochs
        self._brake = brake
        self._known = dict(known or {})
        self._started: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks; observers hold threads and connections and stay behind."""
        return {"_num_epochs": self._num_epochs, "_observers": (), "_known": self._known}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Tune's hook."""
        self._start(trial)

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **_: Any
    ) -> None:
        """Tune's hook; a trial that lost its process repeats an epoch, which is told once."""
        name, epoch = trial_name(trial), int(result[EPOCH])
        if epoch <= self._known.get(name, 0):
            return
        self._known[name] = epoch
        for observer in self._observers:
            observer.epoch_ended(name, epoch, result)

    def on_trial_complete(
        self, iteration: int, trials: list[Trial], trial: Trial, **_: Any
    ) -> None:
        """Tune's hook."""
        epoch = _last_epoch(trial)
        if trial_name(trial) in self._brake.held:
            if trial_name(trial) in self._started:
                self._end(trial, Fate.STOPPED, epoch, self._brake.reason)
            return
        self._end(trial, Fate.COMPLETE if epoch >= self._num_epochs else Fate.PRUNED, epoch, "")

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Tune's hook; a process that fails while it is made was never told of as started."""
        if trial_name(trial) not in self._started:
            self._start(trial)
        self._end(trial, Fate.FAILED, _last_epoch(trial), failure_reason(trial))

    def _start(self, trial: Trial) -> None:
        self._started.add(trial_name(trial))
        for observer in self._observers:
            observer.started(trial_name(trial), trial.config[OVERRIDES])

    def _end(self, trial: Trial, fate: Fate, epoch: int, reason: str) -> None:
        for observer in self._observers:
            observer.ended(trial_name(trial), fate, epoch, reason)


def _last_epoch(trial: Trial) -> int:
    return int(trial.last_result.get(EPOCH, 0))
