"""From a loss to changed weights: Adam, its schedule, clipping and mixed precision."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from drmn.config import Config, OptimiserConfig
from drmn.distributed import ALONE, World, average_gradients

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def learning_rate_factor(epoch: int, step: int, config: OptimiserConfig) -> float:
    """What both learning rates are multiplied by in ``epoch`` (from 1) at ``step`` (from 0).

    Halved every ``halve_every_epochs`` epochs; raised linearly over the run's first
    ``warmup_steps`` steps, of which the last has the full rate.
    """
    halved = 0.5 ** ((epoch - 1) // config.halve_every_epochs)
    return halved * min(1.0, (step + 1) / max(config.warmup_steps, 1))


class Optimisation:
    """Adam over the model and, at its own rate, over what is trained of the backbone.

    Args:
        model: all its parameters train at ``optimiser.lr``.
        backbone: its open parameters train at ``backbone.lr``; None for cached levels.
        config: of the run.
        device: where the weights are.
        world: gradients are averaged over its processes.
    """

    def __init__(
        self,
        model: nn.Module,
        backbone: nn.Module | None,
        config: Config,
        device: torch.device,
        world: World = ALONE,
    ) -> None:
        self._config = config.optimiser
        self._world = world
        self._device = device
        self._dtype = _AUTOCAST.get(config.training.precision)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._dtype == torch.float16)
        groups = [(config.optimiser.lr, _open(model.parameters()))]
        if backbone is not None:
            groups.append((config.backbone.lr, _open(backbone.parameters())))
        self._rates = [lr for lr, parameters in groups if parameters]
        self._adam = torch.optim.Adam(
            [{"params": parameters, "lr": lr} for lr, parameters in groups if parameters],
            betas=(config.optimiser.beta1, config.optimiser.beta2),
            weight_decay=config.optimiser.weight_decay,
        )
        self.num_steps = 0

    @property
    def learning_rates(self) -> list[float]:
        """Of the model, and of the backbone where it trains, as last applied."""
        return [float(group["lr"]) for group in self._adam.param_groups]

    def autocast(self) -> AbstractContextManager[Any]:
        """The context to compute the scores in: none for fp32."""
        if self._dtype is None:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype)

    def apply(self, loss: Float[Tensor, ""], epoch: int) -> None:
        """One step of the run: gradients of ``loss``, averaged and clipped, then Adam."""
        factor = learning_rate_factor(epoch, self.num_steps, self._config)
        for group, lr in zip(self._adam.param_groups, self._rates, strict=True):
            group["lr"] = factor * lr
        self._adam.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        average_gradients(self._parameters(), self._world)
        if self._config.clip_grad_norm is not None:
            self._scaler.unscale_(self._adam)
            nn.utils.clip_grad_norm_(self._parameters(), self._config.clip_grad_norm)
        self._scaler.step(self._adam)
        self._scaler.update()
        self.num_steps += 1

    def state(self) -> dict[str, Any]:
        """All that the next step depends on besides weights and gradients."""
        return {
            "moments": self._adam.state_dict()["state"],
            "scaler": self._scaler.state_dict(),
            "num_steps": self.num_steps,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`; rates, betas and weight decay stay the configuration's."""
        groups = self._adam.state_dict()["param_groups"]
        self._adam.load_state_dict({"state": state["moments"], "param_groups": groups})
        self._scaler.load_state_dict(state["scaler"])
        self.num_steps = state["num_steps"]

    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self._adam.param_groups for p in group["params"]]


def _open(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    return [parameter for parameter in parameters if parameter.requires_grad]
