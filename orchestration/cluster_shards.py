"""Shards made by the nodes of a Ray cluster: a task each, taken as they finish."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import ray

from drmn.data.images import ImageSource
from drmn.data.pixels.manifest import PixelShard
from drmn.data.pixels.preparation import PixelJob, make_shard
from drmn.data.storage import Storage
from drmn.errors import DataError

_IN_FLIGHT_PER_CPU = 2

Job = TypeVar("Job")
Made = TypeVar("Made")


def make_pixels_on_ray(
    source: ImageSource, storage: Storage, jobs: Sequence[PixelJob]
) -> Iterator[PixelShard]:
    """A runner for :func:`drmn.data.pixels.prepare`; every node must see pictures and storage.

    Raises:
        DataError: a node cannot read the pictures or write the shard.
    """
    shared = ray.put(source)
    task = ray.remote(num_cpus=1, max_retries=3)(make_shard)
    yield from each_finished(lambda job: task.remote(shared, storage, job, 1), jobs)


def each_finished(
    start: Callable[[Job], "ray.ObjectRef[Made]"], jobs: Sequence[Job]
) -> Iterator[Made]:
    """Results in the order in which they come; only as many tasks wait as keep all nodes busy."""
    window = max(2, int(ray.cluster_resources().get("CPU", 1)) * _IN_FLIGHT_PER_CPU)
    waiting = list(reversed(jobs))
    running: list[ray.ObjectRef[Made]] = []
    while waiting or running:
        while waiting and len(running) < window:
            running.append(start(waiting.pop()))
        finished, running = ray.wait(running, num_returns=1)
        yield _result(finished[0])


def _result(finished: "ray.ObjectRef[Made]") -> Made:
    try:
        made: Made = ray.get(finished)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, DataError):
            raise DataError(cause.message, cause.remedy) from error
        raise
    return made
