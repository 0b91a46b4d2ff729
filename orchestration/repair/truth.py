"""What each trial's fate is, from all that was written down before a driver died."""

from collections.abc import Mapping
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from orchestration.events import Fate
from orchestration.ledger import TrialHistory
from orchestration.pruning.rule import Rule
from orchestration.reconcile import OPTUNA_FATES, decided
from orchestration.searcher.study import own_trials, trial_label


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One book says of one trial (or run) what it should not."""

    subject: str
    book: str
    has: str
    should_have: str


def true_fates(
    study: optuna.Study | None, histories: Mapping[str, TrialHistory], rule: Rule
) -> dict[str, Fate]:
    """Of every trial known to the ledger or to Optuna; STOPPED where it can be continued."""
    told = {
        trial_label(frozen.number): OPTUNA_FATES[frozen.state]
        for frozen in (own_trials(study) if study else [])
        if frozen.state in OPTUNA_FATES
    }
    fates = {}
    for name in sorted({*told, *histories}):
        fate = decided(name, histories.get(name), rule)
        fates[name] = fate or told.get(name, Fate.STOPPED)
    return fates


def ledger_differences(
    histories: Mapping[str, TrialHistory], fates: Mapping[str, Fate]
) -> list[Difference]:
    """Trials whose fate the ledger lacks."""
    found = []
    for name, fate in fates.items():
        history = histories.get(name)
        has = "absent" if history is None else history.fate.value if history.fate else "running"
        if has != fate.value:
            found.append(_difference(name, "ledger", has, fate.value))
    return found


def optuna_differences(study: optuna.Study | None, fates: Mapping[str, Fate]) -> list[Difference]:
    """Trials whose state in the study is another than their fate has; unasked ones do not count."""
    states = {fate: state for state, fate in OPTUNA_FATES.items()}
    states[Fate.STOPPED] = TrialState.WAITING
    found = []
    for frozen in own_trials(study) if study else []:
        name = trial_label(frozen.number)
        if frozen.state == TrialState.WAITING and name not in fates:
            continue
        should = states[fates.get(name, Fate.STOPPED)]
        if frozen.state != should:
            found.append(_difference(name, "Optuna", frozen.state.name, should.name))
    return found


def _difference(name: str, book: str, has: str, should_have: str) -> Difference:
    return Difference(subject=f"trial {name}", book=book, has=has, should_have=should_have)
