"""N scripted trials through our search: Optuna's journal, ASHA, the ledger, MLflow on SQLite.

What a sweep runs before and after its trials (data, features, the final run) is left out; between
them nothing is, the checkpoint of every epoch included. Run by ``sweep.py``.
"""

import sys
from pathlib import Path
from typing import Any

import scripted
from ray import tune
from rich.console import Console

from drmn.names import EPOCH, OBJECTIVE
from drmn.presets import sprites
from orchestration.cluster import cluster
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.request import SweepRequest
from orchestration.searching import SearchParts, search
from orchestration.settings import read_settings
from orchestration.tracking import Status, Tag, Tracker
from orchestration.trainable import TrialContext
from orchestration.trial_logging import SweepRun, TrialLogger
from search_spaces.registry import search_space


class ScriptedTrainable(tune.Trainable):
    """Five epochs of metrics, each with a checkpoint."""

    def setup(self, config: dict[str, Any], context: TrialContext | None = None) -> None:
        self._epoch = 0

    def step(self) -> dict[str, Any]:
        self._epoch += 1
        done = self._epoch >= scripted.NUM_EPOCHS
        return {**scripted.metrics(self._epoch), EPOCH: self._epoch, "done": done}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        (Path(checkpoint_dir) / "epoch").write_text(str(self._epoch))

    def load_checkpoint(self, checkpoint: Any) -> None:
        self._epoch = int((Path(checkpoint) / "epoch").read_text())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._epoch = 0
        return True


def main(num_trials: int) -> None:
    settings = read_settings()
    request = SweepRequest(
        name="overhead",
        variant="+ensemble",
        config=sprites().with_overrides({"training.epochs": scripted.NUM_EPOCHS}),
        space=search_space("sprites"),
        data_root=settings.data_root,
        num_trials=num_trials,
    )
    folder = settings.sweep_folder(request.name)
    ledger = Ledger(folder / LEDGER_FILE)
    with cluster(settings.ray_address):
        tracker = Tracker(settings, "overhead")
        parent = tracker.open_run(request.key, "sweep", {Tag.SWEEP: request.name})
        run = SweepRun(run_id=parent, sweep=request.key, tags={}, config=request.config)
        logger = TrialLogger(tracker, run)
        context = TrialContext(
            config=request.config.flat(), data_root="", features=None, num_threads=1
        )
        parts = SearchParts(
            folder=folder,
            ledger=ledger,
            context=context,
            logger=logger,
            trainable=ScriptedTrainable,
        )
        search(request, settings, Console(), parts)
        trouble = logger.finish()
        tracker.close_run(parent, Status.FINISHED)
    assert not trouble, trouble
    epochs = [history.last_epoch for history in ledger.histories().values()]
    assert epochs == [scripted.NUM_EPOCHS] * num_trials, epochs
    assert ledger.winner(OBJECTIVE).epoch == scripted.NUM_EPOCHS


if __name__ == "__main__":
    main(int(sys.argv[1]))
