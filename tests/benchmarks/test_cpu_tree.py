"""CPU seconds of a process tree: orphans, reused ids and the processes of others."""

import os
import sys
from pathlib import Path

import pytest
from cpu_tree import Cost, CpuTree, Reading, parse_stat, read_processes, run_and_account
from sweep import per_trial


def _reading(process_id: int, parent_id: int, cpu_s: float, *, started: int = 0) -> Reading:
    return Reading(process=(process_id, started), parent_id=parent_id, name="n", cpu_s=cpu_s)


def test_the_last_reading_of_a_dead_process_counts() -> None:
    tree = CpuTree(root_id=10)
    tree.update([_reading(10, 1, 1.0), _reading(11, 10, 2.0), _reading(12, 11, 4.0)])
    tree.update([_reading(10, 1, 1.5)])
    assert tree.by_name() == {"n": 7.5}


def test_an_orphan_stays_and_its_later_children_join() -> None:
    tree = CpuTree(root_id=10)
    tree.update([_reading(10, 1, 1.0), _reading(11, 10, 2.0)])
    tree.update([_reading(11, 1, 3.0), _reading(13, 11, 5.0)])
    assert tree.by_name() == {"n": 9.0}


def test_others_and_a_reused_id_are_left_out() -> None:
    tree = CpuTree(root_id=10)
    tree.update([_reading(10, 1, 1.0), _reading(11, 10, 2.0), _reading(99, 1, 50.0)])
    tree.update([_reading(10, 1, 1.0), _reading(11, 1, 50.0, started=7)])
    assert tree.by_name() == {"n": 3.0}


def test_a_name_may_hold_brackets_and_spaces() -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    rest = ["S", "7", *["0"] * 9, str(2 * ticks), str(ticks), *["0"] * 6, "123"]
    found = parse_stat(f"42 (a) (b) {' '.join(rest)}")
    assert found == Reading(process=(42, 123), parent_id=7, name="a) (b", cpu_s=3.0)


def test_this_process_is_read() -> None:
    assert os.getpid() in {reading.process[0] for reading in read_processes()}


@pytest.mark.slow
def test_the_work_of_a_child_is_charged_to_the_command(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    command = [sys.executable, "-c", parent]
    cost = run_and_account(command, dict(os.environ), tmp_path / "log", timeout_s=60)
    assert 0.4 < cost.cpu_s < 1.5
    assert cost.num_processes == 2


def test_the_start_falls_out_of_a_trials_share() -> None:
    few, many = (
        Cost(cpu_s=10.0 + num / 4, wall_s=5.0 + num / 2, num_processes=2, cpu_s_by_name={})
        for num in (4, 44)
    )
    assert per_trial(few, many, 40) == {"cpu_s": 0.25, "wall_s": 0.5}
