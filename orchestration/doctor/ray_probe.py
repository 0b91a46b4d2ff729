"""Run as a process: joins a Ray; prints its address, each alive node's versions and clock."""

import json
import logging
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

PACKAGES = ("ray", "torch", "mlflow", "optuna", "pyarrow")
ANSWER_S = 30.0


class Clock:
    """On the node that is asked about."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def versions(self) -> dict[str, str]:
        """Python's and the packages'."""
        found = {"Python": platform.python_version()}
        for name in PACKAGES:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "none"
        return found


def ask(address: str) -> dict[str, Any]:
    """The GCS's address and every alive node, its clock against this process's."""
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    remote = ray.remote(num_cpus=0)(Clock)
    clocks = [
        remote.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote()
        for node in nodes
    ]
    versions = ray.get([clock.versions.remote() for clock in clocks], timeout=ANSWER_S)
    told = [
        {"name": node["NodeManagerAddress"], "versions": found, **_skew(clock)}
        for node, clock, found in zip(nodes, clocks, versions, strict=True)
    ]
    return {"gcs_address": str(ray.get_runtime_context().gcs_address), "nodes": told}


def _skew(clock: Any) -> dict[str, float]:
    asked_s = time.time()
    there_s = ray.get(clock.now.remote(), timeout=ANSWER_S)
    answered_s = time.time()
    middle_s = (asked_s + answered_s) / 2
    return {"skew_s": there_s - middle_s, "uncertainty_s": (answered_s - asked_s) / 2}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(ask(sys.argv[1])) + "\n")
