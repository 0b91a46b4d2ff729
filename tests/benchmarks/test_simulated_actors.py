"""Pretend actors: one slot each, a clock that jumps, and a whole search on two pretend nodes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pretend_trial import Durations
from ray.air.execution import ResourceRequest
from simulated_actors import PretendCluster, SimulatedActorManager
from simulated_clock import Record, SimulatedClock

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "scale_run.py"


def _manager(num_slots: int = 1) -> tuple[SimulatedActorManager, PretendCluster]:
    cluster = PretendCluster(
        num_slots=num_slots,
        durations=Durations(sigma=0.0),
        clock=SimulatedClock(),
        record=Record(),
    )
    return SimulatedActorManager(None, cluster=cluster), cluster


def _add(manager: SimulatedActorManager, name: str, told: list[str]) -> Any:
    return manager.add_actor(
        object,
        {"config": {"trial": name, "overrides": {}}, "storage": None},
        ResourceRequest([{"GPU": 1}]),
        on_start=lambda _: told.append(f"{name} starts"),
        on_stop=lambda _: told.append(f"{name} stops"),
    )


def test_a_second_actor_waits_for_the_slot_of_the_first() -> None:
    manager, cluster = _manager()
    told: list[str] = []
    first, second = (_add(manager, name, told) for name in ("a", "b"))
    assert manager.next()
    assert told == ["a starts"]
    assert (manager.num_live_actors, manager.num_pending_actors) == (1, 1)
    assert manager.get_live_actors_resources() == {"GPU": 1}
    assert not manager.next()
    stop = manager.schedule_actor_task(first, "stop", _return_future=True)
    assert manager.remove_actor(first, stop_future=stop)  # type: ignore[arg-type]
    assert manager.next()
    assert manager.next()
    assert told == ["a starts", "a stops", "b starts"]
    assert manager.is_actor_started(second)
    assert cluster.record.most_live == 1


def test_an_epoch_passes_at_once_and_what_the_driver_takes_counts() -> None:
    manager, cluster = _manager()
    actor = _add(manager, "a", [])
    manager.next()
    results: list[dict[str, Any]] = []
    manager.schedule_actor_task(actor, "train", on_result=lambda _, found: results.append(found))
    began, began_s = time.monotonic(), cluster.clock.now_s()
    manager.next()
    passed_s = cluster.clock.now_s() - began_s
    assert time.monotonic() - began < 30
    assert pytest.approx(passed_s, abs=5.0) == 60.0
    assert results[0]["epoch"] == 1
    cluster.clock.add(100.0)
    manager.schedule_actor_task(actor, "train")
    cluster.clock.add(100.0)
    manager.next()
    assert cluster.record.late_s["train"][1] == pytest.approx(40.0, abs=5.0)


def test_a_forgotten_call_is_never_answered() -> None:
    manager, _ = _manager()
    actor = _add(manager, "a", [])
    manager.next()
    manager.schedule_actor_task(actor, "train")
    manager.clear_actor_task_futures(actor)
    assert manager.num_actor_tasks == 0
    assert not manager.next()


@pytest.mark.slow
def test_a_search_on_two_pretend_nodes_ends_whole_without_a_real_actor(tmp_path: Path) -> None:
    output = tmp_path / "found.json"
    arguments = ["--nodes", "2", "--trials", "20", "--sampler", "random", "--output", str(output)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=tmp_path,
        env={**os.environ, "DRMN_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(output.read_text())
    assert set(found["fates"]) <= {"complete", "pruned"}
    assert sum(found["fates"].values()) == 20
    assert found["num_ray_actors"] == 0
    assert found["most_live"] == 16
    assert found["undelivered"] == 0
    assert 0.2 < found["utilisation"] < 1.0
    assert found["filled_after_s"] < 30  # one after the other, 16 processes would take 80 s
    assert found["makespan_s"] > 30 * 60 * 0.7  # of one trial to its last epoch
