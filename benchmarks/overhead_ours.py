"""N scripted trials through our search: Optuna's journal, ASHA, the ledger, MLflow on SQLite.

What a sweep runs before and after its trials (data, features, the final run) is left out; between
them nothing is, the checkpoint of every epoch included. Run by ``sweep.py``.
"""

import sys

import scripted
from rich.console import Console
from scripted_trainable import ScriptedTrainable

from drmn.names import OBJECTIVE
from drmn.presets import sprites
from orchestration.cluster import cluster
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.request import SweepRequest
from orchestration.searching import SearchParts, search
from orchestration.settings import read_settings
from orchestration.tracking import Status, Tag, Tracker
from orchestration.trial_logging import SweepRun, TrialLogger
from search_spaces.registry import search_space


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
        tracker = Tracker(settings, "overhead", folder)
        parent = tracker.open_run(request.key, "sweep", {Tag.SWEEP: request.name})
        run = SweepRun(run_id=parent, sweep=request.key, tags={}, config=request.config)
        logger = TrialLogger(tracker, run)
        parts = SearchParts(
            folder=folder,
            ledger=ledger,
            context=None,  # type: ignore[arg-type]  # its class imports torch: see scripted.py
            logger=logger,
            trainable=ScriptedTrainable,
        )
        search(request, settings, Console(), parts)
        tracker.close_run(parent, Status.FINISHED)
        trouble = tracker.finish().message
    assert not trouble, trouble
    epochs = [history.last_epoch for history in ledger.histories().values()]
    assert epochs == [scripted.NUM_EPOCHS] * num_trials, epochs
    assert ledger.winner(OBJECTIVE).epoch == scripted.NUM_EPOCHS


if __name__ == "__main__":
    main(int(sys.argv[1]))
