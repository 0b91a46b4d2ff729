"""Trials without training that end in every way; on pretended GPUs."""

from pathlib import Path
from typing import Any

from ray import tune

from drmn.errors import DeviceMemoryError, DivergenceError
from drmn.names import EPOCH, OBJECTIVE
from orchestration.events import TRIAL

NUM_EPOCHS = 3
GOOD, DIVERGING, TOO_LARGE_FOR_A_SHARE, TOO_LARGE = "0000", "0001", "0002", "0003"


class FailingTrial(tune.Trainable):
    """After one good epoch, each trial fails in its own way; its checkpoint is its epoch."""

    def setup(self, config: dict[str, Any], **_: Any) -> None:
        self._name, self._epoch = config[TRIAL], 0

    def step(self) -> dict[str, Any]:
        gpus = self.trial_resources.required_resources["GPU"]
        if self._epoch == 1 and self._name == DIVERGING:
            raise DivergenceError("the losses of epoch 2 are NaN", "lower optimiser.lr")
        is_small = self._name == TOO_LARGE or (self._name == TOO_LARGE_FOR_A_SHARE and gpus < 1)
        if self._epoch == 1 and is_small:
            raise DeviceMemoryError("the GPU is too small; configuration abc", "take a larger one")
        self._epoch += 1
        last = self._epoch >= NUM_EPOCHS
        return {OBJECTIVE: 0.5, "val/gpus": gpus, EPOCH: self._epoch, "done": last}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        (Path(checkpoint_dir) / "epoch").write_text(str(self._epoch))

    def load_checkpoint(self, checkpoint: Any) -> None:
        self._epoch = int((Path(checkpoint) / "epoch").read_text())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True
