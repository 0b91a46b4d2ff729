"""A trial that is only pretended: how long its parts take, and what it reports.

An epoch takes 60 s in the median: the order of the paper's recipe on cached features on one GPU
is an assumption here, and every figure scales with it. All draws follow from the trial's name and
epoch, so that every run has the same trials where the sampler is random.
"""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scripted
from ray import tune
from ray.train._internal.session import _TrainingResult

NUM_EPOCHS = 30
_BEST = {
    "loss.lambda_sc": math.log(0.05),
    "loss.lambda_gc": 0.6,
    "inference.beta": 0.35,
    "model.classifier.gamma": 5.0,
}
_SCALE = {
    "loss.lambda_sc": 3.0,
    "loss.lambda_gc": 1.0,
    "inference.beta": 0.7,
    "model.classifier.gamma": 5.0,
}


@dataclass(frozen=True, kw_only=True)
class Durations:
    """Seconds, medians of log-normal draws with ``sigma``."""

    epoch: float = 60.0
    save: float = 1.0
    start: float = 5.0
    """Of an actor: its process, imports, data."""
    reset: float = 0.5
    """Of the next trial in the same actor: its model."""
    sigma: float = 0.25

    def draw(self, method: str, seed: str) -> float:
        """One duration; stopping takes none."""
        medians = {
            "train": self.epoch,
            "save": self.save,
            "start": self.start,
            "reset": self.reset,
            "stop": 0.0,
        }
        return medians[method] * math.exp(random.Random(seed).gauss(0.0, self.sigma))


class _Metrics:
    """What Tune asks of an actor past its manager: where it is."""

    def remote(self, **_: Any) -> dict[str, Any]:
        """At once, where Ray would give a reference."""
        return {"node_ip": "192.0.2.1", "pid": 1}


class PretendTrial:
    """What Tune calls on a trial's actor."""

    get_auto_filled_metrics = _Metrics()
    num_epochs = NUM_EPOCHS

    def __init__(
        self, durations: Durations, config: Mapping[str, Any], storage: Any, **_: Any
    ) -> None:
        self._durations = durations
        self._begin(config, storage)

    def duration_s(self, method: str) -> float:
        """How long the call would take a worker."""
        return self._durations.draw(method, f"{self._name}/{self._epoch}/{method}")

    def call(self, method: str, *args: Any, **kwargs: Any) -> object:
        """The call's answer."""
        answers = {
            "train": self._train,
            "save": self._save,
            "reset": self._reset,
            "stop": lambda: None,
        }
        return answers[method](*args, **kwargs)

    def _begin(self, config: Mapping[str, Any], storage: Any) -> None:
        self._name, self._overrides = str(config["trial"]), dict(config["overrides"])
        self._storage, self._epoch = storage, 0
        self._result: dict[str, Any] = {}

    def _train(self) -> dict[str, Any]:
        self._epoch += 1
        self._result = {
            **scripted.metrics(self._epoch),
            scripted.OBJECTIVE: objective(self._name, self._overrides, self._epoch),
            "epoch": self._epoch,
            "done": self._epoch >= self.num_epochs,
            "training_iteration": self._epoch,
            "time_this_iter_s": 60.0,
            "time_total_s": 60.0 * self._epoch,
            "time_since_restore": 60.0 * self._epoch,
            "iterations_since_restore": self._epoch,
            "timestamp": 0,
            "date": "2000-01-01_00-00-00",
            "pid": 1,
            "hostname": "pretended",
            "node_ip": "192.0.2.1",
            "config": {"trial": self._name, "overrides": self._overrides, "checkpoints": []},
        }
        return dict(self._result)

    def _save(self) -> _TrainingResult:
        """A folder with one small file, so that the driver has something to remove."""
        path = Path(self._storage.trial_fs_path) / f"checkpoint_{self._epoch - 1:06d}"
        path.mkdir(parents=True)
        (path / "epoch").write_text(str(self._epoch))
        checkpoint = tune.Checkpoint(str(path), filesystem=self._storage.storage_filesystem)
        return _TrainingResult(checkpoint=checkpoint, metrics=dict(self._result))

    def _reset(self, config: Mapping[str, Any], storage: Any = None) -> bool:
        self._begin(config, storage)
        return True


def objective(name: str, overrides: Mapping[str, Any], epoch: int) -> float:
    """A learning curve towards a height that the settings decide, with noise.

    Settings that are best differ little from one another, as they do in real sweeps.
    """
    distance = 0.0
    for path, value in overrides.items():
        place = math.log(value) if path == "loss.lambda_sc" else float(value)
        distance += ((place - _BEST[path]) / _SCALE[path]) ** 2
    height = 0.75 - 0.3 * distance / (1.0 + distance)
    noise = random.Random(f"{name}/{epoch}/value").gauss(0.0, 0.005)
    return height * (1.0 - math.exp(-epoch / 4.0)) + noise
