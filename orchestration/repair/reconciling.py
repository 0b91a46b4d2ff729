"""One sweep's four books compared, and made to agree."""

import optuna
from optuna.storages import BaseStorage

from drmn.deployed.saved_model import MODEL_FILE
from orchestration.events import Fate
from orchestration.finishing import RESULT_FILE
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.notes.of_sweeps import sweep_note
from orchestration.pruning.choice import build_rule
from orchestration.pruning.journal import JOURNAL_FILE, Journal
from orchestration.reconcile import park_unfinished, settle_study
from orchestration.repair.runs import SweepRuns
from orchestration.repair.truth import (
    Difference,
    ledger_differences,
    optuna_differences,
    true_fates,
)
from orchestration.repair.tune_state import TuneStates
from orchestration.repair.unsent import send, unsent
from orchestration.request import SweepRequest
from orchestration.searcher.storage import STUDY_FILE, close_storage, open_storage
from orchestration.serving.registering import is_unregistered, register_model
from orchestration.settings import Settings
from orchestration.stopping.driver import driving
from orchestration.tracking import DirectTracker

DIED = "its driver died"
"""Why a trial was stopped that nobody stopped."""
_UNREGISTERED = Difference(
    subject="model", book="MLflow", has="not registered", should_have="registered"
)


def reconcile(
    request: SweepRequest, settings: Settings, experiment: str, *, dry_run: bool
) -> list[Difference]:
    """What differed; all of it is mended, unless ``dry_run``. A second call finds nothing.

    Raises:
        ConfigError: the sweep is being run.
        TrackingError: MLflow refuses, or does not answer.
    """
    folder = settings.sweep_folder(request.name)
    with driving(folder, request.name):
        found = unsent(folder)
        if found and not dry_run:
            send(settings, folder)
        storage = open_storage(settings.study_storage, folder / STUDY_FILE)
        try:
            books = _Books(request, settings, experiment, storage)
            found += books.differences()
            if found and not dry_run:
                books.mend()
        finally:
            close_storage(storage)
        if books.knows_the_sweep and is_unregistered(folder, request):
            found.append(_UNREGISTERED)
            if not dry_run:
                register_model(folder / MODEL_FILE, settings)
        return found


class _Books:
    """The four books of one sweep, whose driver is dead."""

    def __init__(
        self, request: SweepRequest, settings: Settings, experiment: str, storage: BaseStorage
    ) -> None:
        folder = settings.sweep_folder(request.name)
        self._request = request
        self._ledger = Ledger(folder / LEDGER_FILE)
        rule = build_rule(request.pruning, request.config.training.epochs, request.seed)
        self._rule = Journal(rule, folder / JOURNAL_FILE).rule
        self._study = _existing_study(request.key, storage)
        self._is_finished = (folder / RESULT_FILE).exists()
        self._runs = SweepRuns(
            DirectTracker(settings, experiment),
            request.key,
            request.config,
            objective=request.objective,
            is_finished=self._is_finished,
        )
        self._tune = TuneStates(settings.sweep_storage, request.key, self._ledger.num_attempts())

    @property
    def knows_the_sweep(self) -> bool:
        """Whether MLflow has the sweep's own run."""
        return self._runs.is_begun

    def differences(self) -> list[Difference]:
        histories = self._ledger.histories()
        fates = true_fates(self._study, histories, self._rule)
        return [
            *ledger_differences(histories, fates),
            *optuna_differences(self._study, fates),
            *self._runs.differences(histories, fates),
            *self._tune.differences(),
        ]

    def mend(self) -> None:
        if self._study is not None:
            settle_study(self._study, self._ledger, self._rule, self._request.objectives)
            park_unfinished(self._study)
        for name, history in self._ledger.histories().items():
            if history.fate is None:
                self._ledger.ended(name, Fate.STOPPED, history.last_epoch, DIED)
        histories = self._ledger.histories()
        self._runs.mend(histories, true_fates(self._study, histories, self._rule))
        if not self._is_finished:
            self._runs.describe(sweep_note(self._request, self._ledger.histories()))
        self._tune.mend()


def _existing_study(name: str, storage: BaseStorage) -> optuna.Study | None:
    if name not in optuna.get_all_study_names(storage):
        return None
    return optuna.load_study(study_name=name, storage=storage)
