"""What the benchmarks measure with: time, peak memory, the machine and its matrix-product rate."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from drmn.model.products import product

MIB = 2**20
_STATUS = Path("/proc/self/status")
_RESET_PEAK = Path("/proc/self/clear_refs")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Seconds per step, medians over alternating repeats; the ratio is the median of pairs."""

    literal_s: float
    ours_s: float
    speedup: float


def compare(
    literal: Callable[[], object],
    ours: Callable[[], object],
    repeats: int,
    wait: Callable[[], None] = lambda: None,
) -> Comparison:
    """Both in turn, in one process, after one unmeasured run of each; ``wait`` ends a step."""
    seconds(literal, wait)
    seconds(ours, wait)
    pairs = [(seconds(literal, wait), seconds(ours, wait)) for _ in range(repeats)]
    return Comparison(
        literal_s=statistics.median(pair[0] for pair in pairs),
        ours_s=statistics.median(pair[1] for pair in pairs),
        speedup=statistics.median(pair[0] / pair[1] for pair in pairs),
    )


def seconds(step: Callable[[], object], wait: Callable[[], None] = lambda: None) -> float:
    wait()
    start = time.perf_counter()
    step()
    wait()
    return time.perf_counter() - start


def peak_bytes(step: Callable[[], object], warm_up: Callable[[], object]) -> int:
    """How far one step raises this process's resident memory above where it starts.

    ``warm_up`` is the same step at a tiny size, so that libraries' own buffers are there before.
    Linux: the high-water mark is reset just before the step and read just after.
    """
    warm_up()
    _RESET_PEAK.write_text("5")
    before = _status_bytes("VmRSS")
    step()
    return _status_bytes("VmHWM") - before


def _status_bytes(field: str) -> int:
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines[field].split()[0]) * 1024


def peak_in_fresh_process(script: Path, case: str) -> int:
    """``script --peak case`` in a process of its own, which prints the bytes as JSON."""
    command = [sys.executable, str(script), "--peak", case]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(json.loads(finished.stdout))


def relative_difference(actual: Tensor, expected: Tensor) -> float:
    """Euclidean norm of the difference over that of ``expected``."""
    actual, expected = actual.detach(), expected.detach()
    return float((actual - expected).norm() / expected.norm())


def matrix_rates(size: int = 2048, repeats: int = 5) -> dict[str, float]:
    """Measured GFLOP/s of float32 products of square matrices, by PyTorch's way and by ours."""
    x, y = torch.randn(size, size), torch.randn(size, size)
    steps = {"torch.mm": lambda: torch.mm(x, y), "drmn.product": lambda: product(x, y)}
    rates = {}
    for name, step in steps.items():
        seconds(step)
        taken = statistics.median(seconds(step) for _ in range(repeats))
        rates[name] = 2 * size**3 / taken / 1e9
    return rates


def machine() -> dict[str, object]:
    """What a figure must be read with."""
    return {
        "processor": _processor_name(),
        "num_threads": torch.get_num_threads(),
        "num_cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "torch": torch.__version__,
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
