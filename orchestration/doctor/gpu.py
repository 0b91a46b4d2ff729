"""GPU, driver and torch: whether they belong together."""

from dataclasses import dataclass
from pathlib import Path

import torch

from orchestration.doctor.finding import Finding, bad, good, warning
from orchestration.settings import Settings

_DRIVER = Path("/proc/driver/nvidia/version")
_DEVICES = "nvidia[0-9]*"
_LOW_GB = 8.0


@dataclass(frozen=True, kw_only=True)
class Gpus:
    """What there is: device files, the kernel's driver, torch's CUDA, and what torch can use."""

    num_devices: int
    driver: str
    """First line of the driver's own report; "" where none is loaded."""
    cuda: str | None
    """That torch was built for; None: a CPU-only torch."""
    usable: tuple[tuple[str, int], ...]
    """Name and bytes of memory of each GPU that torch can use."""


def check_gpu(_settings: Settings) -> list[Finding]:
    """Of this machine; a machine without a GPU is in order."""
    return judge(look())


def look() -> Gpus:
    """Nothing is allocated."""
    usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
    properties = [torch.cuda.get_device_properties(index) for index in range(usable)]
    return Gpus(
        num_devices=len(list(Path("/dev").glob(_DEVICES))),
        driver=_DRIVER.read_text().partition("\n")[0] if _DRIVER.is_file() else "",
        cuda=torch.version.cuda,
        usable=tuple((each.name, each.total_memory) for each in properties),
    )


def judge(gpus: Gpus) -> list[Finding]:
    """Each usable GPU, or why none is."""
    if gpus.usable:
        return [_usable(name, size) for name, size in gpus.usable]
    if not gpus.num_devices and not gpus.driver:
        return [good("no GPU: trials run on the CPU")]
    if gpus.cuda is None:
        return [
            bad(
                "there is a GPU, but this torch is for the CPU alone",
                "install a torch with CUDA: https://pytorch.org/get-started/locally/",
            )
        ]
    if not gpus.driver:
        return [bad("there is a GPU, but no driver is loaded", "install NVIDIA's driver")]
    return [
        bad(
            f"torch was built for CUDA {gpus.cuda} and cannot use the GPU with this driver "
            f"({gpus.driver})",
            "update the driver, or install a torch for an older CUDA; see also "
            "CUDA_VISIBLE_DEVICES",
        )
    ]


def _usable(name: str, size_bytes: int) -> Finding:
    text = f"{name}, {size_bytes / 1e9:.0f} GB"
    if size_bytes < _LOW_GB * 1e9:
        return warning(f"{text}: little for a tuned backbone", "keep backbone.train=none")
    return good(text)
