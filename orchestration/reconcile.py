"""Make Optuna and MLflow agree with the sweep's own ledger after a driver died."""

from collections.abc import Mapping

import optuna
from optuna.trial import TrialState

from orchestration.events import Fate
from orchestration.ledger import Ledger, TrialHistory
from orchestration.pruning.rule import Rule
from orchestration.searcher.study import (
    own_trials,
    report,
    running_trials,
    tell_complete,
    trial_label,
)
from orchestration.trial_logging import TrialLogger

OPTUNA_FATES = {
    TrialState.COMPLETE: Fate.COMPLETE,
    TrialState.PRUNED: Fate.PRUNED,
    TrialState.FAIL: Fate.FAILED,
}
"""What Optuna's final states mean; a trial that can be continued is WAITING."""


def settle_study(
    study: optuna.Study, ledger: Ledger, rule: Rule, objectives: tuple[str, ...]
) -> list[str]:
    """Tell the study the fates that were decided but not told; return the unfinished trials.

    A trial is decided if the ledger has its fate, if the pruner had stopped it, or if it had ended
    its last epoch. All others that the study holds for RUNNING, or parked, are unfinished.
    """
    _unpark(study)
    _adopt_told_fates(study, ledger)
    histories = ledger.histories()
    unfinished = []
    for frozen in running_trials(study):
        name = trial_label(frozen.number)
        history = histories.get(name)
        fate = decided(name, history, rule)
        if history is None or fate is None:
            unfinished.append(name)
            continue
        _tell(study, frozen.number, fate, history, objectives)
        if not history.is_over:
            ledger.ended(name, fate, history.last_epoch, "")
    return unfinished


def _adopt_told_fates(study: optuna.Study, ledger: Ledger) -> None:
    """Write down what Optuna was told just before the driver died: Ray tells Optuna first."""
    histories = ledger.histories()
    for frozen in own_trials(study, *OPTUNA_FATES):
        name = trial_label(frozen.number)
        if name not in histories:
            ledger.started(name, frozen.params)
        if name not in histories or not histories[name].is_over:
            ledger.ended(name, OPTUNA_FATES[frozen.state], frozen.last_step or 0, "")


def park_unfinished(study: optuna.Study) -> None:
    """Have the study hold for WAITING, no longer for RUNNING, what no driver goes on with."""
    for frozen in running_trials(study):
        study._storage.set_trial_state_values(frozen._trial_id, TrialState.WAITING)


def _unpark(study: optuna.Study) -> None:
    """Inverse of :func:`park_unfinished`; a trial enqueued and never asked has no parameters."""
    for frozen in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        if frozen.params:
            study._storage.set_trial_state_values(frozen._trial_id, TrialState.RUNNING)


def settle_runs(logger: TrialLogger, histories: Mapping[str, TrialHistory]) -> None:
    """Write to MLflow what it lacks: runs, epochs, fates. What is there is left alone."""
    for trial, history in sorted(histories.items()):
        logger.started(trial, history.overrides)
        for epoch in sorted(history.epochs):
            logger.epoch_ended(trial, epoch, history.epochs[epoch])
        for change in history.changes.values():
            logger.changed(trial, change)
        if history.fate is not None:
            logger.ended(trial, history.fate, history.last_epoch, history.reason)


def decided(name: str, history: TrialHistory | None, rule: Rule) -> Fate | None:
    """The fate that the ledger has, or that follows from it and the pruner's word; else None.

    A trial whose driver died between the pruner's word and the ledger's line has yet to tell of
    the epoch that was its last.
    """
    if history is None:
        return None
    if history.is_over:
        return history.fate
    if history.last_epoch >= rule.stopped.get(name, rule.max_epochs + 1):
        return Fate.PRUNED
    return Fate.COMPLETE if history.last_epoch >= rule.max_epochs else None


def _tell(
    study: optuna.Study, number: int, fate: Fate, history: TrialHistory, objectives: tuple[str, ...]
) -> None:
    frozen = study.get_trials(deepcopy=False)[number]
    trial = optuna.Trial(study, frozen._trial_id)
    report(trial, frozen, objectives, history.epochs)
    if fate is Fate.COMPLETE:
        tell_complete(study, trial, objectives, history.epochs[history.last_epoch])
    else:
        study.tell(trial, state=TrialState.PRUNED if fate is Fate.PRUNED else TrialState.FAIL)
