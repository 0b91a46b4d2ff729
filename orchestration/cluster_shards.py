"""Shards made by the nodes of a Ray cluster: a task each, taken as they finish."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import ray
from rich.console import Console

from drmn.data.images import ImageSource
from drmn.data.pixels.manifest import PixelShard
from drmn.data.pixels.preparation import PixelJob, make_shard
from drmn.data.store.extraction import Extraction
from drmn.data.store.manifest import Shard
from drmn.data.store.storage import Storage
from drmn.errors import DataError
from orchestration.cluster import cluster
from orchestration.fitting_node import await_fitting_node
from orchestration.request import Resources
from orchestration.settings import Settings

_IN_FLIGHT_PER_CPU = 2

Job = TypeVar("Job")


@contextlib.contextmanager
def working_on(address: str | None, settings: Settings, console: Console) -> Iterator[None]:
    """The Ray cluster at ``address``, once a node takes tasks there; None: nothing is joined.

    Raises:
        ConfigError: nothing answers, it answers everybody, or no node takes tasks.
    """
    if address is None:
        yield
        return
    with cluster(address, allow_open=settings.allow_open_ray):
        await_fitting_node(Resources(cpus=1.0), settings.worker_wait_s, console)
        yield


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


def make_features_on_ray(
    extraction: Extraction, folder: Path, first_rows: Sequence[int]
) -> Iterator[Shard]:
    """A runner for :meth:`Extraction.run`: a file per task, on a GPU each where there are any.

    Every node must see the pictures, and ``folder`` under the same path.

    Raises:
        DataError: a node cannot read a picture or write its file.
    """
    gpus = ray.cluster_resources().get("GPU", 0) >= 1
    shared = ray.put(replace(extraction, device="cuda" if gpus else "cpu"))
    task = ray.remote(num_cpus=1, num_gpus=int(gpus), max_retries=3)(Extraction.make_file)
    yield from in_order(lambda first_row: task.remote(shared, folder, first_row), first_rows)


def each_finished(start: Callable[[Job], Any], jobs: Sequence[Job]) -> Iterator[Any]:
    """Results as they come; only as many tasks wait as keep all nodes busy."""
    waiting = list(reversed(jobs))
    running: list[Any] = []
    while waiting or running:
        while waiting and len(running) < _window():
            running.append(start(waiting.pop()))
        finished, running = ray.wait(running, num_returns=1)
        yield _result(finished[0])


def in_order(start: Callable[[Job], Any], jobs: Sequence[Job]) -> Iterator[Any]:
    """Results in the order of the jobs, as many tasks ahead as keep all nodes busy."""
    waiting = list(reversed(jobs))
    running: list[Any] = []
    while waiting or running:
        while waiting and len(running) < _window():
            running.append(start(waiting.pop()))
        yield _result(running.pop(0))


def _window() -> int:
    """Counted anew each time: nodes come while others work."""
    return max(2, int(ray.cluster_resources().get("CPU", 1)) * _IN_FLIGHT_PER_CPU)


def _result(finished: Any) -> Any:
    try:
        made = ray.get(finished)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, DataError):
            raise DataError(cause.message, cause.remedy) from error
        raise
    return made
