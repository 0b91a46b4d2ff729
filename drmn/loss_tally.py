"""The mean losses of an epoch, and the end of a run whose loss is no longer a number."""

import torch
from torch import Tensor

from drmn import names
from drmn.config import Config
from drmn.errors import DivergenceError
from drmn.losses import Losses

_NAMES = (names.LOSS_TOTAL, names.LOSS_ATTRIBUTE, names.LOSS_SELF_CALIBRATION, names.LOSS_GLOBAL)


class LossTally:
    """Sums losses on their device.

    A loss is looked at when the next one is added, so that a GPU has the next step queued while
    the last one's result is fetched.
    """

    def __init__(self, config: Config, epoch: int) -> None:
        self._config = config
        self._epoch = epoch
        self._steps: list[Tensor] = []
        self._checked = 0

    def add(self, losses: Losses) -> None:
        """Take one step's losses.

        Raises:
            DivergenceError: those of the step before are not finite.
        """
        self._check()
        parts = (losses.total, losses.attribute, losses.self_calibration, losses.global_)
        self._steps.append(torch.stack([part.detach().double() for part in parts]))

    def means(self) -> dict[str, float]:
        """The mean of each loss over the steps added, by its metric name.

        Raises:
            DivergenceError: those of the last step are not finite.
        """
        self._check()
        means: list[float] = torch.stack(self._steps).mean(dim=0).tolist()
        return dict(zip(_NAMES, means, strict=True))

    def _check(self) -> None:
        if self._checked == len(self._steps):
            return
        values = self._steps[self._checked]
        self._checked += 1
        if not bool(values.isfinite().all()):
            raise self._divergence(values.tolist())

    def _divergence(self, values: list[float]) -> DivergenceError:
        found = ", ".join(f"{name} {v:g}" for name, v in zip(_NAMES, values, strict=True))
        standard = Config().flat()
        changed = {k: v for k, v in self._config.flat().items() if v != standard[k]}
        return DivergenceError(
            f"the losses of epoch {self._epoch}, step {self._checked} are {found}, but must be "
            f"finite; configuration {self._config.hash()}: {changed or 'all defaults'}",
            "lower optimiser.lr, set optimiser.clip_grad_norm, or use training.precision=fp32",
        )
