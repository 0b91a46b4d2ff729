import socket
from pathlib import Path

import pytest
from ray_head import free_port

from orchestration.doctor import ray_cluster
from orchestration.doctor.finding import Finding, Level
from orchestration.doctor.ray_cluster import (
    Joined,
    Node,
    check_ray,
    judge_exposure,
    judge_failure,
    judge_nodes,
    reach,
)
from orchestration.doctor.several_nodes import check_several_nodes, file_system
from orchestration.exposure import Exposure
from orchestration.settings import read_settings

G, W, B = Level.GOOD, Level.WARNING, Level.BAD
ELSEWHERE = "192.0.2.7:6379"


def test_an_address_answers_or_does_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert reach(f"127.0.0.1:{server.getsockname()[1]}").level is G
    closed = f"127.0.0.1:{free_port()}"
    assert reach(f"ray://{closed}").level is B
    (found,) = check_ray(read_settings({"RAY_ADDRESS": closed}))
    assert (found.level, closed in found.text) == (B, True)


def test_without_a_cluster_all_is_well_and_a_wrong_address_is_told() -> None:
    assert [each.level for each in check_ray(read_settings({}))] == [G]
    (found,) = check_ray(read_settings({"RAY_ADDRESS": "ftp://host:1"}))
    assert found.remedy == "correct RAY_ADDRESS"


@pytest.mark.parametrize(
    ("address", "found", "mode", "level"),
    [
        (ELSEWHERE, Exposure.OPEN, "", B),
        ("127.0.0.1:6379", Exposure.OPEN, "", W),
        (ELSEWHERE, Exposure.GUARDED, "", B),
        (ELSEWHERE, Exposure.GUARDED, "token", G),
        (ELSEWHERE, Exposure.SILENT, "", W),
        (ELSEWHERE, Exposure.SILENT, "token", W),
    ],
)
def test_an_open_ray_and_a_missing_token_are_told(
    address: str, found: Exposure, mode: str, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    assert judge_exposure(address, found).level is level


def _node(name: str, skew_s: float = 0.1, **versions: str) -> Node:
    known = {"ray": "2.60.0", "torch": "2.13.0", **versions}
    return Node(name=name, versions=known, skew_s=skew_s, uncertainty_s=0.05)


def test_nodes_of_one_kind_are_good() -> None:
    found = judge_nodes([_node("10.0.0.1"), _node("10.0.0.2", -0.9)])
    assert [each.level for each in found] == [G, G]


def test_other_versions_and_wrong_clocks_are_told_by_node() -> None:
    found = judge_nodes([_node("10.0.0.1"), _node("10.0.0.2", -63.0, torch="2.9.1")])
    assert [each.level for each in found] == [G, B, B]
    assert "torch differs between nodes: 10.0.0.1 2.13.0, 10.0.0.2 2.9.1" in found[1].text
    assert "10.0.0.2 is -63.0 s off" in found[2].text


def test_local_files_do_on_one_machine_and_not_on_several(tmp_path: Path) -> None:
    home = {"DRMN_HOME": str(tmp_path)}
    assert [each.level for each in check_several_nodes(read_settings(dict(home)))] == [G]
    several = {**home, "RAY_ADDRESS": ELSEWHERE}
    assert [each.level for each in check_several_nodes(read_settings(dict(several)))] == [B, W, W]
    served = {
        "DRMN_SWEEP_STORAGE": "s3://bucket/sweeps",
        "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        "DRMN_STUDY_STORAGE": "postgresql://me:secret@db/x",
    }
    assert [each.level for each in check_several_nodes(read_settings({**several, **served}))] == [G]


def test_the_file_system_is_that_of_the_nearest_mount() -> None:
    mounts = "/dev/sda / ext4 rw 0 0\nhost:/x /mnt/all nfs4 rw 0 0\n"
    assert file_system(Path("/mnt/all/sweeps"), mounts) == "nfs4"
    assert file_system(Path("/mnt/other"), mounts) == "ext4"
    assert file_system(Path("/x"), "") == "unknown"


def _joined(
    monkeypatch: pytest.MonkeyPatch, address: str, hosts: int, found: Exposure
) -> list[Finding]:
    nodes = [_node(f"192.0.2.{7 + host}") for host in range(hosts)]
    asked: list[str] = []

    def ask(address: str, _timeout_s: float) -> Exposure:
        asked.append(address)
        return found

    monkeypatch.setattr("orchestration.exposure.exposure", ask)
    monkeypatch.setattr(ray_cluster, "exposure", ask)
    monkeypatch.setattr(ray_cluster, "reach", lambda _address: Finding(level=G, text="answers"))
    monkeypatch.setattr(
        ray_cluster, "join", lambda _address: Joined(gcs_address=ELSEWHERE, nodes=nodes)
    )
    told = check_ray(read_settings({"RAY_ADDRESS": address, "DRMN_SWEEP_STORAGE": "/kept"}))
    assert asked[-1] == (address if address.startswith("ray:") else ELSEWHERE)
    return told


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:6379", "ray://localhost:10001"])
def test_a_cluster_joined_by_a_door_of_this_machine_is_judged_by_its_own_address(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    found = _joined(monkeypatch, address, 2, Exposure.OPEN)
    assert [each.level for each in found] == [B, G, G, B]
    assert f"the Ray at {ELSEWHERE} answers without a token" in found[0].text
    assert "checkpoints go to /kept" in found[-1].text
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    found = _joined(monkeypatch, address, 1, Exposure.GUARDED)
    assert [each.level for each in found] == [G, G, G]


def test_versions_that_differ_are_told_in_one_line() -> None:
    said = """Traceback (most recent call last):
RuntimeError: Version mismatch: The cluster was started with:
    Ray: 2.52.0
    Python: 3.11.9
This process on node 10.0.0.2 was started with:
    Ray: 2.60.0
    Python: 3.11.2

"""
    found = judge_failure("auto", said)
    assert "Ray: 2.52.0 Python: 3.11.9 This process on node 10.0.0.2" in found.text
    assert "\n" not in found.text
    assert "one version of Ray" in found.remedy
    assert "cannot be joined: no token" in judge_failure("auto", "Traceback\nno token\n").text
    assert "no reason given" in judge_failure("auto", "").text
