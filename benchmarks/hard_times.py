"""Trials that fail, MLflow and a store in trouble, at set times of a simulated clock."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pretend_trial import PretendTrial
from ray.exceptions import RayTaskError
from simulated_clock import SimulatedClock

from drmn.errors import DivergenceError
from orchestration.tracking import OutageError
from orchestration.tracking.server import Server

HOUR_S, AWAY_S = 3600.0, 600.0


class FailingTrial(PretendTrial):
    """One epoch in two hundred diverges; each hour the first ten minutes' saves take five more."""

    num_epochs = 30
    clock: SimulatedClock
    began_s = 0.0
    can_fail = False

    def duration_s(self, method: str) -> float:
        """See PretendTrial."""
        slow = method == "save" and self.can_fail and is_away(self.clock, self.began_s)
        return super().duration_s(method) + (300.0 if slow else 0.0)

    def call(self, method: str, *args: Any, **kwargs: Any) -> object:
        """See PretendTrial."""
        dice = random.Random(f"{self._name}/{self._epoch}/fails")
        if method == "train" and self.can_fail and dice.random() < 1 / 200:
            raise RayTaskError("train", "Traceback", DivergenceError("the loss is NaN"))
        return super().call(method, *args, **kwargs)


def is_away(clock: SimulatedClock, began_s: float) -> bool:
    """Whether MLflow and the checkpoints' store are in trouble at this simulated time."""
    return (clock.now_s() - began_s) % HOUR_S > HOUR_S - AWAY_S


@contextmanager
def outages(clock: SimulatedClock, began_s: float, counts: Counter[str]) -> Iterator[None]:
    """Each request to MLflow fails while it is away: half before, half after it was done."""
    real = {name: getattr(Server, name) for name in ("find", "create", "log", "close")}
    dice = random.Random(0)

    def around(name: str) -> Any:
        def request(*arguments: Any) -> Any:
            away, is_done = is_away(clock, began_s), dice.random() < 0.5
            answer = real[name](*arguments) if is_done or not away else None
            if away:
                counts["requests that failed"] += 1
                raise OutageError("MLflow does not answer: this was made to happen")
            return answer

        return request

    for name in real:
        setattr(Server, name, around(name))
    try:
        yield
    finally:
        for name, method in real.items():
            setattr(Server, name, method)
