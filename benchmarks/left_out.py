"""What a simulation leaves out of a driver's work, measured: Ray's own calls, and the disk's syncs.

Run by ``scale.py`` in a process of its own; prints a JSON object. Ray's actor manager waits for one
of its pending references before every event, so that an event costs more the more actors live.
"""

import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import ray

NUM_PENDING = 1600
NUM_ROUNDS = 60


@ray.remote(num_cpus=0)
class _Answering:
    def train(self) -> dict[str, float]:
        return {f"metric/{number}": 0.5 for number in range(30)}


@ray.remote(resources={"nowhere": 1})
def _never() -> None:
    """Waits for ever for a node that has it."""


def measure() -> dict[str, float]:
    """Seconds: of a wait for each pending reference, of a call with its answer, of a sync."""
    actor = _Answering.remote()
    ray.get(actor.train.remote())
    pending = [_never.remote() for _ in range(NUM_PENDING - 1)]
    waiting_s = _median(lambda: _wait([*pending, ray.put(1)]))
    return {
        "wait_s_per_future": waiting_s / NUM_PENDING,
        "call_s": statistics.median(_call_s(actor) for _ in range(NUM_ROUNDS)),
        "fsync_s": _fsync_s(),
    }


def _fsync_s() -> float:
    """Of a line written to the disk that holds temporary files."""
    with tempfile.TemporaryFile() as file:

        def step() -> None:
            file.write(b"." * 300)
            file.flush()
            os.fsync(file.fileno())

        return _median(step)


def _call_s(actor: Any) -> float:
    """Of sending and of taking the answer, without what lies between."""
    started = time.perf_counter()
    answer = actor.train.remote()
    sent = time.perf_counter()
    ray.wait([answer])
    ready = time.perf_counter()
    ray.get(answer)
    return sent - started + time.perf_counter() - ready


def _wait(references: list[ray.ObjectRef]) -> None:
    """As Ray's actor manager does: in random order, for one of them."""
    random.shuffle(references)
    ray.wait(references, num_returns=1, timeout=0.1)


def _median(step: Callable[[], object]) -> float:
    times = []
    for _ in range(NUM_ROUNDS):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    print(json.dumps(measure()))
    ray.shutdown()
