"""How many trials fit on the nodes that are there."""

import pytest
import ray

from drmn.errors import ConfigError
from orchestration import cluster
from orchestration.cluster import Capacity
from orchestration.request import Resources


@pytest.mark.parametrize(
    ("resources", "total", "number"),
    [
        (Resources(cpus=2), {"CPU": 9.0}, 4),
        (Resources(cpus=1, gpus=0.25), {"CPU": 16.0, "GPU": 2.0}, 8),
        (Resources(cpus=1, gpus=1), {"CPU": 16.0}, 1),
        (Resources(cpus=4), {}, 1),
    ],
)
def test_as_many_as_fit_and_at_least_one(
    monkeypatch: pytest.MonkeyPatch, resources: Resources, total: dict[str, float], number: int
) -> None:
    monkeypatch.setattr(ray, "cluster_resources", lambda: total)
    assert Capacity(resources)() == number
    assert Capacity(resources, fixed=3)() == 3


def test_nodes_are_counted_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    total, now = {"CPU": 1.0}, [100.0]
    monkeypatch.setattr(ray, "cluster_resources", lambda: total)
    monkeypatch.setattr(cluster.time, "monotonic", lambda: now[0])
    capacity = Capacity(Resources())
    assert capacity() == 1
    total["CPU"] = 5.0
    assert capacity() == 1
    now[0] += 10
    assert capacity() == 5


@pytest.mark.parametrize("address", ["x=y", "[", "host", "host:", "ray://[", "h:999999", "a" * 999])
def test_what_is_no_address_of_ray_is_refused_before_anything(address: str) -> None:
    with pytest.raises(ConfigError, match="must read HOST:PORT"), cluster.cluster(address):
        pass
