from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import tune
from ray.train._internal.checkpoint_manager import _CheckpointManager
from ray.train._internal.session import _TrainingResult

from orchestration.retention import KeepCheckpoints
from orchestration.retention_rule import Retention

SCORES = [0.1, 0.5, 0.3, 0.2]


def _kept(tmp_path: Path, retention: Retention, objective: str) -> list[str]:
    manager = _CheckpointManager(tune.CheckpointConfig(checkpoint_frequency=1))
    trial: Any = SimpleNamespace(run_metadata=SimpleNamespace(checkpoint_manager=manager))
    keeper = KeepCheckpoints(retention, objective)
    for epoch, score in enumerate(SCORES):
        keeper.on_trial_start(0, [trial], trial)  # as after the loss of a process
        folder = tmp_path / f"checkpoint_{epoch}"
        folder.mkdir()
        checkpoint = tune.Checkpoint.from_directory(folder)
        result = _TrainingResult(checkpoint=checkpoint, metrics={objective: score})
        trial.run_metadata.checkpoint_manager.register_checkpoint(result)
    return sorted(path.name.removeprefix("checkpoint_") for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("retention", "kept"),
    [
        (Retention.BEST_AND_LAST, ["1", "3"]),
        (Retention.LAST, ["3"]),
        (Retention.ALL, ["0", "1", "2", "3"]),
    ],
)
def test_what_is_kept_of_a_trial(tmp_path: Path, retention: Retention, kept: list[str]) -> None:
    assert _kept(tmp_path, retention, "val/gzsl_harmonic") == kept


def test_the_best_loss_is_the_lowest(tmp_path: Path) -> None:
    assert _kept(tmp_path, Retention.BEST_AND_LAST, "loss/total") == ["0", "3"]
