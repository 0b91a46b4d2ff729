"""A scripted trial behind Tune's class API; a worker that imports it imports no torch."""

from pathlib import Path
from typing import Any

import scripted
from ray import tune


class ScriptedTrainable(tune.Trainable):
    """Five epochs of metrics, each with a checkpoint."""

    def setup(self, config: dict[str, Any], context: object = None) -> None:
        self._epoch = 0

    def step(self) -> dict[str, Any]:
        self._epoch += 1
        done = self._epoch >= scripted.NUM_EPOCHS
        return {**scripted.metrics(self._epoch), "epoch": self._epoch, "done": done}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        (Path(checkpoint_dir) / "epoch").write_text(str(self._epoch))

    def load_checkpoint(self, checkpoint: Any) -> None:
        self._epoch = int((Path(checkpoint) / "epoch").read_text())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._epoch = 0
        return True
