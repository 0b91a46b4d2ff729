"""Ray: start or join, and count what its nodes can run."""

import contextlib
import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import ray
from ray.tune.execution import class_cache

from drmn.errors import ConfigError
from orchestration.exposure import refuse_open_cluster, refuse_open_ray
from orchestration.fitting_node import OWN_CPUS, alive_nodes
from orchestration.planning.packing import Node
from orchestration.request import Resources
from orchestration.settings import OWN_RAY
from orchestration.stopping.brake import end_now, ending_now
from orchestration.terminal.manner import manner

_RECOUNT_S = 2.0
_MAX_ADDRESS = 300
_MAX_STARTING = "100000"
"""Trials whose processes Tune starts at once: all that :class:`Capacity` lets. With a searcher that
is not Tune's own it would start one after the other, and a large cluster would fill for an hour."""


@contextlib.contextmanager
def cluster(address: str | None, *, allow_open: bool = False) -> Iterator[str]:
    """A Ray connection for the time of a ``with``: ``address``, or a local Ray of our own.

    Its dashboard's address is given; "" where it has none.

    Raises:
        ConfigError: nothing answers at ``address``, or it answers everybody.
    """
    if address and address not in (*OWN_RAY, "auto"):
        _check_address(address)
        refuse_open_ray(address, allowed=allow_open)
    os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
    os.environ.setdefault("TUNE_MAX_PENDING_TRIALS_PG", _MAX_STARTING)
    os.environ.setdefault("TUNE_PRINT_ALL_TRIAL_ERRORS", "0")  # told by retrying and progress
    _keep_credentials_here()
    with ending_now():
        context = _connection(address)
        end_now()  # Ray's own handler of SIGTERM exits with the signal's number
        try:
            if address and address not in OWN_RAY:
                gcs_address = str(ray.get_runtime_context().gcs_address)
                refuse_open_cluster(address, gcs_address, allowed=allow_open)
            yield str(context.dashboard_url or "")
        finally:
            ray.shutdown()


def _check_address(address: str) -> None:
    """It reads HOST:PORT, or ray://HOST:PORT."""
    try:
        parts = urlsplit(address if "://" in address else f"ray://{address}")
        is_one = bool(parts.hostname and parts.port) and len(address) < _MAX_ADDRESS
    except ValueError:
        is_one = False
    if not is_one:
        raise ConfigError(
            f"the address of Ray is {address[:_MAX_ADDRESS]!r}, but must read HOST:PORT",
            "give what `ray start --head` printed, or unset RAY_ADDRESS to run locally",
        )


def _connection(address: str | None) -> Any:
    local = {} if address else {"num_cpus": OWN_CPUS, "include_dashboard": False}
    try:
        return ray.init(
            address=address or "local",  # None would join any Ray that was started here
            log_to_driver=manner().verbose,
            logging_level=logging.INFO if manner().verbose else logging.ERROR,
            namespace="drmn",
            **local,
        )
    except (ConnectionError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster answers at {address!r} ({error})",
            "start one with `ray start --head`, or unset RAY_ADDRESS to run locally",
        ) from error


def _keep_credentials_here() -> None:
    """Tune would copy AWS credentials into each trial's runtime_env, which Ray logs as it is.

    A local Ray's processes inherit the environment; each node of another has its own.
    """
    names = class_cache.ENV_VARS_TO_PROPAGATE
    names -= {name for name in names if name.startswith("AWS_")}


def nodes() -> list[Node]:
    """What each alive node has for trials; of its memory, the part that Ray gives to tasks."""
    return [
        Node(
            cpus=node.get("CPU", 0.0),
            gpus=node.get("GPU", 0.0),
            memory_bytes=int(node.get("memory", 0.0)),
        )
        for node in alive_nodes()
    ]


class Capacity:
    """How many trials may be under way: a fixed number, or what the nodes now there can run.

    Nodes come and go while a sweep runs; they are counted anew every few seconds.
    """

    def __init__(self, resources: Resources, fixed: int | None = None) -> None:
        self._resources = resources
        self._fixed = fixed
        self._counted, self._counted_at = 1, -math.inf

    def __call__(self) -> int:
        """At least one."""
        if self._fixed is not None:
            return self._fixed
        if time.monotonic() - self._counted_at > _RECOUNT_S:
            self._counted = _num_fitting(self._resources, ray.cluster_resources())
            self._counted_at = time.monotonic()
        return self._counted


def _num_fitting(resources: Resources, total: Mapping[str, float]) -> int:
    fits = [total.get("CPU", 0.0) / resources.cpus]
    if resources.gpus:
        fits.append(total.get("GPU", 0.0) / resources.gpus)
    return max(1, int(min(fits) + 1e-9))
