from pathlib import Path

import pytest

from orchestration.doctor.finding import Level
from orchestration.doctor.gpu import Gpus, judge
from orchestration.doctor.machine import cores, disk, memory, memory_bytes, room, shared_memory

G, W, B = Level.GOOD, Level.WARNING, Level.BAD


def test_cores_memory_and_shared_memory_have_limits() -> None:
    assert [cores(number).level for number in (2, 1)] == [G, W]
    assert [memory(int(gb * 1e9)).level for gb in (8, 3, 1)] == [G, W, B]
    assert [shared_memory(int(gb * 1e9)).level for gb in (2, 0.064)] == [G, W]
    assert 1e8 < memory_bytes() < 1e14


def test_a_disk_is_judged_by_its_free_space_and_whether_it_can_be_written(tmp_path: Path) -> None:
    assert [room(tmp_path, int(gb * 1e9)).level for gb in (50, 5, 0.5)] == [G, W, B]
    assert str(tmp_path / "not" / "there") in disk(tmp_path / "not" / "there").text
    (tmp_path / "file").touch()
    found = disk(tmp_path / "file" / "below")
    assert (found.level, found.remedy) == (B, "set DRMN_HOME to a folder of your own")


@pytest.mark.parametrize(
    ("devices", "driver", "cuda", "usable", "level", "word"),
    [
        (0, "", None, (), G, "no GPU"),
        (1, "NVRM version: 580", "13.0", (("H200", int(150e9)),), G, "H200, 150 GB"),
        (1, "NVRM version: 580", "13.0", (("T400", int(4e9)),), W, "little"),
        (1, "NVRM version: 580", None, (), B, "CPU alone"),
        (1, "", "13.0", (), B, "no driver"),
        (1, "NVRM version: 470", "13.0", (), B, "CUDA 13.0"),
    ],
)
def test_gpu_driver_and_torch_must_belong_together(
    devices: int,
    driver: str,
    cuda: str | None,
    usable: tuple[tuple[str, int], ...],
    level: Level,
    word: str,
) -> None:
    (found,) = judge(Gpus(num_devices=devices, driver=driver, cuda=cuda, usable=usable))
    assert found.level is level
    assert word in found.text
    assert bool(found.remedy) == (level is not G)
