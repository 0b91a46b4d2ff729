"""System metrics of a process that trains, under the names that MLflow's UI looks for.

They are read once per epoch, by the process itself: no thread, no server, nothing that can fail a
training. Shares of time are means since the epoch before.
"""

from typing import Any

import psutil
import pynvml
import torch

SYSTEM = "system"
"""Key of what a worker reports beside an epoch's metrics: see :meth:`LoadMeter.take`."""


class LoadMeter:
    """Of this process, its machine and, if it has one, its GPU."""

    def __init__(self, device: torch.device) -> None:
        self._process = psutil.Process()
        self._gpu = _gpu_handle(device) if device.type == "cuda" else None
        self.take()  # the next one's shares count from here

    def take(self) -> dict[str, float]:
        """``system/...``: per cent and megabytes (10⁶ bytes); what cannot be read is left out.

        ``cpu`` and ``system_memory`` are the machine's, ``process`` is ours; a process has 100 %
        for each processor it keeps busy. GPU figures are those of the moment, as NVML has them.
        """
        try:
            found = {**self._machine(), **self._own()}
        except (psutil.Error, OSError):
            found = {}
        return {f"{SYSTEM}/{name}": value for name, value in {**found, **self._gpus()}.items()}

    def _machine(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        return {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / 1e6,
            "system_memory_usage_percentage": memory.percent,
        }

    def _own(self) -> dict[str, float]:
        return {
            "process_cpu_percentage": self._process.cpu_percent(),
            "process_memory_megabytes": self._process.memory_info().rss / 1e6,
        }

    def _gpus(self) -> dict[str, float]:
        if self._gpu is None:
            return {}
        try:
            memory = pynvml.nvmlDeviceGetMemoryInfo(self._gpu)
            return {
                "gpu_0_memory_usage_megabytes": memory.used / 1e6,
                "gpu_0_memory_usage_percentage": 100 * memory.used / memory.total,
                "gpu_0_utilization_percentage": float(
                    pynvml.nvmlDeviceGetUtilizationRates(self._gpu).gpu
                ),
                "gpu_0_power_usage_watts": pynvml.nvmlDeviceGetPowerUsage(self._gpu) / 1000,
            }
        except pynvml.NVMLError:  # a slice of a GPU (MIG) has no utilisation of its own
            return {}


def _gpu_handle(device: torch.device) -> Any:
    """NVML's, of the very GPU that the process sees as ``device``; None where it knows none."""
    try:
        pynvml.nvmlInit()
        uuid = torch.cuda.get_device_properties(device).uuid
        return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except pynvml.NVMLError:
        return None
