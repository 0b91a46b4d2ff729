"""The search phase of a sweep: begin or take up the study, run the trials, keep three books.

The ledger is written first and believed after a crash; Optuna's study and MLflow follow it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ray import tune
from rich.console import Console

from drmn.errors import DrmnError
from orchestration.checkpoints import checkpoints_after, list_checkpoints
from orchestration.events import Fate, TrialEvents, TrialObserver
from orchestration.ledger import Ledger, TrialHistory
from orchestration.objective import direction
from orchestration.pruning.choice import build_rule
from orchestration.pruning.journal import JOURNAL_FILE, Journal
from orchestration.pruning.moving import Moves, taken_up
from orchestration.pruning.population import PopulationBased
from orchestration.pruning.scheduler import RuleScheduler
from orchestration.reconcile import park_unfinished, settle_runs, settle_study
from orchestration.repair.tune_state import TuneStates
from orchestration.request import SweepRequest
from orchestration.searcher.storage import STUDY_FILE, open_storage
from orchestration.searcher.study import open_study
from orchestration.searcher.warm_start import is_told, read_experience, tell_experience
from orchestration.settings import Settings
from orchestration.stopping.brake import EXIT_INTERRUPTED, Brake, heeding_signals
from orchestration.stopping.budget import USAGE_FILE, Meter
from orchestration.stopping.holding import Watch
from orchestration.trainable import DrmnTrainable, TrialContext
from orchestration.trial_logging import TrialLogger
from orchestration.trials import run_trials
from orchestration.watching.live import trial_display


class SweepInterruptedError(DrmnError):
    """The sweep ended before all of its trials did; ``exit_code`` says to what signal."""

    def __init__(self, message: str, remedy: str, exit_code: int) -> None:
        super().__init__(message, remedy)
        self.exit_code = exit_code


@dataclass(frozen=True, kw_only=True)
class SearchParts:
    """What the search phase works with."""

    folder: Path
    ledger: Ledger
    context: TrialContext
    logger: TrialLogger | None
    """Where trials go besides the ledger; None: nowhere."""
    trainable: type[tune.Trainable] = DrmnTrainable
    """What a trial runs: Tune's class API, with ``setup(config, context)``."""


def search(request: SweepRequest, settings: Settings, console: Console, parts: SearchParts) -> None:
    """Run all trials to their ends or to the budget's, those of an earlier driver included.

    Raises:
        SweepInterruptedError: trials are left after a signal; the sweep can be resumed.
        StoppedNow: at a second signal.
    """
    brake, meter = Brake(), Meter(parts.folder / USAGE_FILE)
    ledger, attempt = parts.ledger, parts.ledger.begin_attempt()
    study = open_study(request, open_storage(settings.study_storage, parts.folder / STUDY_FILE))
    if request.warm_start and not is_told(study):
        experiences = read_experience(request, settings.home / "sweeps")
        tell_experience(study, experiences)
        for each in experiences:
            console.print(str(each), highlight=False, markup=False)
    TuneStates(settings.sweep_storage, request.key, attempt - 1).mend()
    num_epochs = request.config.training.epochs
    rule = build_rule(request.pruning, num_epochs, request.seed)
    journal = Journal(rule, parts.folder / JOURNAL_FILE)
    left = settle_study(study, ledger, rule, request.objectives)
    display = trial_display(console, request)
    observers: list[TrialObserver] = [ledger, display]
    donated = partial(checkpoints_after, settings.sweep_storage, request.key, attempt)
    moves = None
    if isinstance(rule, PopulationBased):
        Moves(rule, request, ledger, study, [ledger], donated).settle()
        moves = Moves(rule, request, ledger, study, observers, donated)
    histories = ledger.histories()
    display.know(histories)
    if parts.logger is not None:
        settle_runs(parts.logger, histories)
        observers.append(parts.logger)
    known = {name: history.last_epoch for name, history in histories.items()}
    try:
        with heeding_signals(brake), display:
            run_trials(
                request,
                settings,
                parts.context,
                attempt=attempt,
                study=study,
                scheduler=RuleScheduler(
                    journal,
                    request.objective,
                    brake,
                    is_minimised=direction(request.objective) == "minimize",
                    moves=moves,
                ),
                watch=Watch(brake, request.budget, meter, console),
                brake=brake,
                unfinished={
                    name: _checkpoints(settings, request, attempt - 1, name, histories)
                    for name in left
                },
                changed={
                    name: history.overrides_at(history.last_epoch + 1)
                    for name, history in histories.items()
                    if history.changes
                },
                events=TrialEvents(observers, num_epochs=num_epochs, brake=brake, known=known),
                trainable=parts.trainable,
            )
    finally:
        park_unfinished(study)
        record_stopped(ledger, observers, brake.reason or "its driver failed")
        meter.save()
    _check_complete(request, ledger, brake)


def _checkpoints(
    settings: Settings,
    request: SweepRequest,
    attempts: int,
    name: str,
    histories: Mapping[str, TrialHistory],
) -> list[str]:
    """What an unfinished trial can be taken up from; none where it had not begun."""
    own = list_checkpoints(settings.sweep_storage, request.key, attempts, name)
    donated = partial(checkpoints_after, settings.sweep_storage, request.key, attempts)
    return taken_up(histories[name], own, donated) if name in histories else own


def record_stopped(ledger: Ledger, observers: Sequence[TrialObserver], reason: str) -> None:
    """Tell of trials that were begun, by whatever driver, and are left without a fate."""
    for name, history in ledger.histories().items():
        if history.fate is None:
            for observer in observers:
                observer.ended(name, Fate.STOPPED, history.last_epoch, reason)


def _check_complete(request: SweepRequest, ledger: Ledger, brake: Brake) -> None:
    num_ended = sum(fate.is_final for fate in ledger.fates().values())
    if num_ended < request.num_trials and (brake.exit_code or not brake.is_pulled):
        raise SweepInterruptedError(
            f"{num_ended} of {request.shown_trials} have ended",
            f"continue with `drmn runs resume {request.name}`",
            brake.exit_code or EXIT_INTERRUPTED,
        )
