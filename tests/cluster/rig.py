"""The cluster that the tests of this folder share: a head, workers and stores, a host each."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cloud import Cloud, serve_cloud, write_autoscaling
from cluster_stores import Stores, redis_program, serve_redis, serve_stores
from cluster_sweep import ClusterSweep
from drmn_local.postgres import postgres_binaries
from job_api import wait_until
from namespaces import Host, Network, free_subnet, why_no_namespaces
from ray_hosts import RayHosts

from orchestration.settings import Settings, read_settings


@dataclass(frozen=True, kw_only=True)
class Rig:
    """The cluster; ``workers`` are joined to it."""

    ray: RayHosts
    stores: Stores
    workers: list[Host]
    settings: Settings
    outside: str
    """Address of this process on the network."""

    def heal(self) -> None:
        """The head runs; workers do, or will before a driver has read its data."""
        if not self.ray.head.pids():
            self.ray.start_head()
            self.ray.await_nodes()
        for worker in self.workers:
            if worker.address not in self.ray.alive():
                worker.mend()
                worker.kill()
                self.ray.start_worker(worker)

    @contextmanager
    def autoscaled(self) -> Iterator[Cloud]:
        """The head alone: its autoscaler starts the workers' hosts, one GPU each, as needed."""
        hosts = [*self.workers, self.ray.head]
        cloud = Cloud(pool=self.workers, start=partial(self.ray.start_worker, num_gpus=1))
        with ExitStack() as stack, serve_cloud(cloud, self.outside) as api:
            for host in hosts:
                host.kill()
                stack.callback(host.kill)
            file = self.ray.folder / "autoscaling.yaml"
            num_machines = len(self.workers)
            write_autoscaling(file, api=api, head=self.ray.head, num_machines=num_machines, gpus=1)
            self.ray.start_head(f"--autoscaling-config={file}")
            head = {self.ray.head.address}
            wait_until(lambda: self.ray.alive() == head, "the head alone is alive")
            yield cloud

    def sweep(self, name: str) -> ClusterSweep:
        """One that has not been submitted."""
        return ClusterSweep(name=name, ray=self.ray, settings=self.settings)


def why_no_rig() -> str:
    """What this machine lacks for :func:`running_rig`; "" if nothing."""
    if reason := why_no_namespaces():
        return f"no hosts can be made here: {reason}"
    missing = {"PostgreSQL": postgres_binaries(), "Redis": redis_program()}
    names = [name for name, program in missing.items() if program is None]
    return f"{' and '.join(names)} must be installed" if names else ""


@contextmanager
def running_rig() -> Iterator[Rig]:
    """All of it; at the end no process, namespace or file is left."""
    folder = Path(tempfile.mkdtemp(prefix="drmn-cluster-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        rig = _made(stack, patch, folder)
        rig.heal()
        yield rig


def _made(stack: ExitStack, patch: pytest.MonkeyPatch, folder: Path) -> Rig:
    network = Network(subnet=free_subnet())
    stack.callback(network.remove)
    network.make()
    head, store, one, two = map(network.add, ("head", "store", "worker-1", "worker-2"))
    postgres = postgres_binaries()
    assert postgres is not None
    stores = stack.enter_context(serve_stores(store, postgres, folder))
    redis = stack.enter_context(serve_redis(store, folder))
    environ = {**stores.environment, "DRMN_HOME": str(folder / "home")}
    for name, value in {**environ, "NO_PROXY": "*"}.items():
        patch.setenv(name, value)
    pretending = {**environ, "DRMN_PRETEND_GPUS": "1"}
    ray = RayHosts(head=head, environ=pretending, redis=redis, folder=folder)
    stack.callback(ray.remove)
    for host in (head, one, two):
        stack.callback(host.kill)
    settings = read_settings(dict(os.environ))
    return Rig(
        ray=ray,
        stores=stores,
        workers=[one, two],
        settings=settings,
        outside=f"{network.subnet}.1",
    )
