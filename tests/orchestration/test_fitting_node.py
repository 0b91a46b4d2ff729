"""A trial that no node fits: refused at once, or a node is asked for and waited for."""

import io
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import ray
from rich.console import Console
from typer.testing import CliRunner

from drmn.errors import ConfigError
from orchestration import fitting_node, sweep
from orchestration.cli import app
from orchestration.fitting_node import await_fitting_node, has_autoscaler, refuse_unfit_here
from orchestration.request import Resources
from orchestration.settings import read_settings
from orchestration.study import running

HEAD = {"memory": 1e9, "node:__internal_head__": 1.0}
WORKER = {"CPU": 2.0, "GPU": 2.0}
ON_GPU = Resources(gpus=1.0)
STATUS = """======== Autoscaler status: 2026-11-23 22:31:57.974685 ========
Node status
---------------------------------------------------------------
Active:
{active}
Pending:
 (no pending nodes)
Recent failures:
 (no failures)

Resources
---------------------------------------------------------------
Total Usage:
 0B/20.10GiB memory
Pending Demands:
 (no resource demands)
"""


@dataclass
class PretendRay:
    """Its ``status`` is what `ray status` says; a worker comes ``comes_after_s`` from the start."""

    status: str
    comes_after_s: float = float("inf")
    now_s: float = 0.0
    requests: list[list[dict[str, float]]] = field(default_factory=list)

    def nodes(self) -> list[dict[str, Any]]:
        workers = [WORKER] if self.now_s >= self.comes_after_s else []
        return [{"Alive": True, "Resources": each} for each in (HEAD, *workers)]

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def _pretend(monkeypatch: pytest.MonkeyPatch, ray_: PretendRay) -> PretendRay:
    monkeypatch.setattr(ray, "nodes", ray_.nodes)
    monkeypatch.setattr(fitting_node.time, "sleep", ray_.sleep)
    monkeypatch.setattr(fitting_node.time, "monotonic", lambda: ray_.now_s)
    monkeypatch.setattr(
        fitting_node, "request_resources", lambda *, bundles: ray_.requests.append(bundles)
    )
    monkeypatch.setattr(fitting_node, "_gcs_address", lambda: "head:6379")
    monkeypatch.setattr(fitting_node, "_status", lambda *_: ray_.status)
    return ray_


AUTOSCALED, FIXED = STATUS.format(active=" 1 headgroup"), STATUS.format(active=" 1 node_d5dd59")


@pytest.mark.parametrize(
    ("status", "has_one"),
    [
        (FIXED, False),
        (AUTOSCALED, True),
        (STATUS.format(active=" (no active nodes)"), True),
        (STATUS.format(active=" 1 headgroup\n 1 node_d5dd59"), True),
    ],
)
def test_the_status_tells_whether_nodes_can_be_made(
    monkeypatch: pytest.MonkeyPatch, status: str, has_one: bool
) -> None:
    _pretend(monkeypatch, PretendRay(status))
    assert has_autoscaler() is has_one


def test_a_node_that_fits_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend = _pretend(monkeypatch, PretendRay(FIXED, comes_after_s=0))
    await_fitting_node(ON_GPU, None, Console(file=io.StringIO()))
    assert pretend.requests == []


@pytest.mark.parametrize(("status", "wait_s"), [(FIXED, None), (AUTOSCALED, 0.0)])
def test_it_is_refused_at_once_where_none_can_come(
    monkeypatch: pytest.MonkeyPatch, status: str, wait_s: float | None
) -> None:
    pretend = _pretend(monkeypatch, PretendRay(status))
    with pytest.raises(ConfigError, match="1 CPUs and 1 GPUs, but the largest node has 0 CPUs"):
        await_fitting_node(ON_GPU, wait_s, Console(file=io.StringIO()))
    assert pretend.now_s == 0
    assert pretend.requests == []


@pytest.mark.parametrize(("status", "wait_s"), [(FIXED, 60.0), (AUTOSCALED, None)])
def test_one_is_asked_for_and_the_request_withdrawn(
    monkeypatch: pytest.MonkeyPatch, status: str, wait_s: float | None
) -> None:
    pretend = _pretend(monkeypatch, PretendRay(status, comes_after_s=40))
    told = io.StringIO()
    await_fitting_node(ON_GPU, wait_s, Console(file=told, width=200))
    one = [{"CPU": 1.0, "GPU": 1.0}]
    assert pretend.requests == [one, one, []]  # again after 30 s
    assert f"up to {wait_s or 900:g} s (DRMN_WORKER_WAIT_S)" in told.getvalue()
    assert "a node has come after 40 s" in told.getvalue()


def test_a_wait_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend = _pretend(monkeypatch, PretendRay(AUTOSCALED))
    with pytest.raises(ConfigError, match="came within 20 s"):
        await_fitting_node(Resources(), 20.0, Console(file=io.StringIO()))
    assert pretend.requests == [[{"CPU": 1.0}], []]
    assert pretend.now_s == 20


def test_a_status_that_never_comes_is_asked_for_now_and_then_and_told_to_be_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend, asked = _pretend(monkeypatch, PretendRay("No cluster status.")), []
    monkeypatch.setattr(
        fitting_node, "_status", lambda _, left_s: asked.append(left_s) or pretend.status
    )
    with pytest.raises(ConfigError, match="whether the cluster can add nodes is not known"):
        await_fitting_node(ON_GPU, None, Console(file=io.StringIO()))
    assert asked == [30.0 - each for each in range(30)]
    assert pretend.now_s == 30


@pytest.mark.parametrize("address", [None, "local"])
def test_a_ray_of_our_own_is_not_asked_whether_it_grows(
    monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    _pretend(monkeypatch, PretendRay(FIXED))
    monkeypatch.setattr(fitting_node, "has_autoscaler", lambda: pytest.fail("it was asked"))
    settings = replace(read_settings({"DRMN_WORKER_WAIT_S": "60"}), ray_address=address)
    with pytest.raises(ConfigError, match="the largest node has"):
        await_fitting_node(ON_GPU, settings.node_wait_s, Console(file=io.StringIO()))
    assert replace(settings, ray_address="auto").node_wait_s == 60.0


@pytest.mark.parametrize("command", ["sweep", "ablate"])
def test_what_this_machine_lacks_is_refused_before_data_are_prepared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setattr(fitting_node.torch.cuda, "device_count", lambda: 0)
    monkeypatch.setenv("DRMN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for module, name in ((sweep, "run_sweep"), (running, "run_study")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("it was begun"))
    given = [command, "--dataset", "sprites", "--gpus-per-trial", "1"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 2
    said = " ".join(done.output.split())
    assert "asks for 1 CPUs and 1 GPUs, but this machine has" in said
    assert not (tmp_path / "home").exists()


def test_a_cluster_may_have_what_this_machine_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting_node.torch.cuda, "device_count", lambda: 0)
    for given in ({"RAY_ADDRESS": "auto"}, {"DRMN_PRETEND_GPUS": "1"}):
        refuse_unfit_here(ON_GPU, read_settings(given))
    refuse_unfit_here(Resources(), read_settings({}))


def test_an_unanswered_question_is_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise subprocess.TimeoutExpired("ray", 30)

    monkeypatch.setattr(fitting_node.subprocess, "run", hang)
    assert fitting_node._status("head:6379", 30.0) == ""
