"""The machine that trains: its name, its processor, its GPU."""

import os
import platform
import socket
from pathlib import Path

import pynvml
import torch

MACHINE = "machine"
"""Key of what a worker reports beside an epoch's metrics: see :func:`machine`."""
HOST, CPU, GPU = "host", "cpu", "gpu"
NO_GPU = "none"


def machine(device: torch.device) -> dict[str, str]:
    """This host, its processor, and the GPU that ``device`` is, "none" for a processor."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else NO_GPU
    return {HOST: socket.gethostname(), CPU: cpu_model(), GPU: gpu}


def drivers_machine() -> dict[str, str]:
    """The same of a process that computes nothing: every GPU is named, none is touched."""
    gpus = ", ".join(gpu_models()) or NO_GPU
    return {HOST: socket.gethostname(), CPU: cpu_model(), GPU: gpus}


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    """As the processor calls itself, and how many of it the system has."""
    named = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.is_file() else [])
        if line.startswith("model name")
    ]
    model = named[0] if named else platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} threads"


def gpu_models() -> list[str]:
    """Of all GPUs that NVIDIA's driver knows here; empty where there is no driver."""
    try:
        pynvml.nvmlInit()
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return [str(pynvml.nvmlDeviceGetName(handle)) for handle in handles]
    except pynvml.NVMLError:
        return []
