"""A node that one trial fits on: there, asked of the cluster's autoscaler, or refused at once."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import ray
import torch
from ray.autoscaler.sdk import request_resources
from rich.console import Console

from drmn.errors import ConfigError
from orchestration.request import Resources
from orchestration.settings import OWN_RAY, RAY_ADDRESS, WORKER_WAIT, Settings

AUTOSCALER_WAIT_S = 900.0
"""A machine is ordered, started, and fetches an image of some gigabytes."""
OWN_CPUS = os.cpu_count() or 1
"""What a local Ray of our own is given."""
_POLL_S = 1.0
_ASK_EVERY_S = 30.0
"""The request is the cluster's, not ours: who asks after us overwrites it."""
_STATUS_S = 30.0
_IS_STATUS = "Node status"
_UNKNOWN = "; whether the cluster can add nodes is not known, for `ray status` says nothing"
_LOWER = "lower --cpus-per-trial or --gpus-per-trial"
_COUNTED_KIND = re.compile(r"^ \d+ (\S+)$", re.MULTILINE)
_OF_NO_KIND = re.compile(r"node_[0-9a-f]+")
"""What `ray status` calls each node where nothing can make more of its kind."""


def await_fitting_node(resources: Resources, wait_s: float | None, console: Console) -> None:
    """Return once one trial fits on a node; a cluster may have scaled to none.

    Args:
        resources: of one trial.
        wait_s: for how long, in seconds; None: :data:`AUTOSCALER_WAIT_S` where an autoscaler adds
            nodes, and not at all elsewhere.
        console: told what is waited for.

    Raises:
        ConfigError: no node has what one trial asks for, or none came in time.
    """
    if _is_there(resources):
        return
    grows = has_autoscaler() if wait_s is None else False
    if wait_s is None:
        wait_s = AUTOSCALER_WAIT_S if grows else 0.0
    if not wait_s:
        raise ConfigError(
            f"a trial asks for {_told(resources)}, but {_largest()}"
            + (_UNKNOWN if grows is None else ""),
            f"{_LOWER}; where nodes are yet to come, set {WORKER_WAIT} to the seconds that they "
            "may take",
        )
    console.print(
        f"no node has the {_told(resources)} of a trial: one is asked for, and waited for up to "
        f"{wait_s:g} s ({WORKER_WAIT}); if no kind of node is that large, stop this and set it to "
        "0: then it is refused at once",
        highlight=False,
    )
    waited_s = _wait(resources, wait_s)
    console.print(f"a node has come after {waited_s:.0f} s", highlight=False)


def _wait(resources: Resources, limit_s: float) -> float:
    """The seconds that it took; the request is withdrawn, so that the node may go when it idles."""
    started, asked_at = time.monotonic(), -_ASK_EVERY_S
    bundle = {kind: amount for kind, amount in _bundle(resources).items() if amount}
    try:
        while not _is_there(resources):
            waited_s = time.monotonic() - started
            if waited_s >= limit_s:
                raise ConfigError(
                    f"no node with the {_told(resources)} of a trial came within {limit_s:g} s, "
                    f"and {_largest()}",
                    f"`ray status` tells what the autoscaler does; {WORKER_WAIT} is how long it "
                    f"may take, 0 refuses at once. If no kind of node is that large: {_LOWER}",
                )
            if waited_s - asked_at >= _ASK_EVERY_S:
                request_resources(bundles=[bundle])
                asked_at = waited_s
            time.sleep(_POLL_S)
    finally:
        request_resources(bundles=[])
    return time.monotonic() - started


def refuse_unfit_here(resources: Resources, settings: Settings) -> None:
    """What a Ray of our own could not give, before anything is prepared for it.

    Raises:
        ConfigError: no cluster was given, and this machine has less than one trial asks for.
    """
    if settings.ray_address not in OWN_RAY or settings.pretend_gpus:
        return
    num_gpus = torch.cuda.device_count()
    if resources.cpus > OWN_CPUS or resources.gpus > num_gpus:
        raise ConfigError(
            f"a trial asks for {_told(resources)}, but this machine has {OWN_CPUS} CPUs and "
            f"{num_gpus} GPUs that PyTorch can use",
            f"{_LOWER}, or name a cluster in {RAY_ADDRESS}",
        )


def has_autoscaler() -> bool | None:
    """Whether something makes nodes for the cluster that this process has joined.

    None: `ray status` does not say, as where the GCS can only be reached from inside.
    """
    address, deadline = _gcs_address(), time.monotonic() + _STATUS_S
    left_s = _STATUS_S
    while _IS_STATUS not in (status := _status(address, left_s)):  # a young cluster has none yet
        time.sleep(_POLL_S)
        if (left_s := deadline - time.monotonic()) <= 0:
            return None
    kinds = _COUNTED_KIND.findall(status)
    return not kinds or any(not _OF_NO_KIND.fullmatch(kind) for kind in kinds)


def _gcs_address() -> str:
    return str(ray.get_runtime_context().gcs_address)


def _status(address: str, timeout_s: float) -> str:
    program = Path(sys.executable).with_name("ray")
    try:
        return subprocess.run(
            [program, "status", "--address", address],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        ).stdout
    except subprocess.TimeoutExpired:
        return ""


def _is_there(resources: Resources) -> bool:
    asked = _bundle(resources)
    return any(
        all(node.get(kind, 0.0) >= amount for kind, amount in asked.items())
        for node in alive_nodes()
    )


def alive_nodes() -> list[dict[str, float]]:
    """What each alive node has of each resource."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _bundle(resources: Resources) -> dict[str, float]:
    return {"CPU": resources.cpus, "GPU": resources.gpus}


def _told(resources: Resources) -> str:
    return f"{resources.cpus:g} CPUs and {resources.gpus:g} GPUs"


def _largest() -> str:
    nodes = alive_nodes()
    cpus, gpus = (max(node.get(kind, 0.0) for node in nodes) for kind in ("CPU", "GPU"))
    return f"the largest node has {cpus:g} CPUs and {gpus:g} GPUs"
