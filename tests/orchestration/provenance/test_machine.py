"""The machine and its load: read without a server, and never a reason to fail."""

import time
from pathlib import Path

import psutil
import pytest
import torch

from orchestration.provenance.load import LoadMeter
from orchestration.provenance.machine import cpu_model, drivers_machine, machine

CPU = torch.device("cpu")
SHARES = ("cpu_utilization_percentage", "process_cpu_percentage", "system_memory_usage_percentage")


def test_a_processor_is_called_by_its_name(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(
        "processor\t: 0\nmodel name\t: EPYC 9654\nprocessor\t: 1\nmodel name\t: EPYC 9654\n"
    )
    assert cpu_model(info).startswith("EPYC 9654, ")
    assert cpu_model(tmp_path / "absent").endswith(" threads")


def test_what_computes_on_a_processor_has_no_gpu() -> None:
    assert machine(CPU)["gpu"] == "none"
    assert machine(CPU).keys() == drivers_machine().keys()


def test_the_load_is_that_since_the_last_call() -> None:
    meter = LoadMeter(CPU)
    values, until = torch.rand(200, 200), time.process_time() + 0.1  # the kernel counts in ticks
    while time.process_time() < until:
        values = values @ values
    found = meter.take()
    assert found["system/process_cpu_percentage"] > 0
    assert found["system/process_memory_megabytes"] > 10
    assert found["system/system_memory_usage_megabytes"] > 10
    assert all(found[f"system/{share}"] >= 0 for share in SHARES)
    assert not any("gpu" in name for name in found)


def test_what_may_not_be_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied() -> None:
        raise psutil.AccessDenied

    meter = LoadMeter(CPU)
    monkeypatch.setattr(psutil, "virtual_memory", denied)
    assert meter.take() == {}


@pytest.mark.gpu
def test_a_gpu_is_named_and_measured() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    device = torch.device("cuda")
    assert machine(device)["gpu"] == torch.cuda.get_device_name()
    torch.ones(1000, device=device)
    assert LoadMeter(device).take()["system/gpu_0_memory_usage_megabytes"] > 0
