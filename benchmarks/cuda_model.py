"""The full model on a CUDA device at CUB's shape, 448 px: training steps under bf16 autocast."""

from collections.abc import Callable

import literal
import torch
from cases import BATCH
from measuring import MIB, compare, seconds
from torch import Tensor

from drmn.config import BackboneConfig, Config
from drmn.losses import total_loss
from drmn.model.backbone import build_backbone
from drmn.model.network import DRMN, Scores

_ATTRIBUTES, _CLASSES, _PIXELS = 312, 200, 448


class _Training:
    """One step of CUB's full model, with the backbone trained or its levels given."""

    def __init__(self, *, backbone: bool) -> None:
        torch.manual_seed(0)
        self.config = Config()
        network = build_backbone(BackboneConfig(train="all")).cuda()
        self.images = torch.randn(BATCH, 3, _PIXELS, _PIXELS, device="cuda")
        seen = torch.arange(_CLASSES) < 150
        attributes = torch.rand(_CLASSES, _ATTRIBUTES)
        specs = network.specs(_PIXELS)
        self.model = DRMN(self.config.model, specs, attributes, seen).cuda()
        self.labels = torch.randint(150, (BATCH,), device="cuda")
        self.backbone = network if backbone else None
        self.levels = tuple(torch.rand(BATCH, *spec.shape, device="cuda") for spec in specs)

    def literal(self) -> None:
        self._step(lambda levels: literal.forward(self.model, levels))

    def ours(self) -> None:
        self._step(self.model)

    def _step(self, forward: Callable[[tuple[Tensor, ...]], Scores]) -> None:
        with torch.autocast("cuda", torch.bfloat16):
            levels = self.levels if self.backbone is None else self.backbone(self.images)
            scores = forward(levels)
            losses = total_loss(scores, self.labels, self.model.seen, self.config)
        losses.total.backward()
        for part in (self.model, self.backbone):
            if part is not None:
                part.zero_grad(set_to_none=True)


def measure_cuda() -> list[dict[str, float]]:
    """Rows for the model alone (0) and with its backbone (1); none without a device."""
    if not torch.cuda.is_available():
        return []
    return [_measure(backbone=backbone) for backbone in (False, True)]


def _measure(*, backbone: bool) -> dict[str, float]:
    training = _Training(backbone=backbone)
    timing = compare(training.literal, training.ours, 10, torch.cuda.synchronize)
    literal_peak, ours_peak = (_peak_mib(step) for step in (training.literal, training.ours))
    return {
        "with_backbone": float(backbone),
        "literal_s": timing.literal_s,
        "ours_s": timing.ours_s,
        "speedup": timing.speedup,
        "images_per_s": BATCH / timing.ours_s,
        "literal_peak_mib": literal_peak,
        "ours_peak_mib": ours_peak,
        "share_of_bf16_rate": _flops(training.ours) / timing.ours_s / _bf16_rate(),
    }


def _peak_mib(step: Callable[[], None]) -> float:
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() / MIB


def _flops(step: Callable[[], None]) -> int:
    """Counted by PyTorch from the shapes of every product and convolution that ran."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def _bf16_rate(size: int = 8192) -> float:
    """Measured FLOP/s of a square bf16 product."""
    x = torch.randn(size, size, device="cuda", dtype=torch.bfloat16)
    taken = [seconds(lambda: x @ x, torch.cuda.synchronize) for _ in range(10)]
    return 2 * size**3 / sorted(taken)[5]
