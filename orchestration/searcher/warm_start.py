"""What earlier sweeps have found, told to a new sweep's study before it asks for its first trial.

Such trials keep their values after every epoch, carry the attribute FROM_SWEEP, do not count among
the trials asked for, are never run again and cannot win: the ledger does not know them.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from orchestration.events import Fate
from orchestration.ledger import LEDGER_FILE, Ledger, TrialHistory
from orchestration.objective import needs_beta
from orchestration.request import SweepRequest
from orchestration.request_file import load_request
from orchestration.searcher.samplers import distribution
from orchestration.searcher.study import FROM_SWEEP
from search_spaces.paper import BETA

_STATES = {Fate.COMPLETE: TrialState.COMPLETE, Fate.PRUNED: TrialState.PRUNED}
_TAKEN = "drmn.warm_start"
"""User attribute of a study that has been told already."""


class _RefusedError(ValueError):
    """One trial cannot be taken; its text is the reason."""


@dataclass(frozen=True, kw_only=True)
class Experience:
    """What one earlier sweep gives: trials to tell, and why others were refused."""

    sweep: str
    trials: list[FrozenTrial]
    refused: Counter[str]

    def __str__(self) -> str:
        reasons = "; ".join(f"{reason} ({n})" for reason, n in self.refused.most_common())
        return (
            f"warm start from {self.sweep}: {len(self.trials)} trials taken, "
            f"{self.refused.total()} refused{': ' if reasons else ''}{reasons}"
        )


def read_experience(request: SweepRequest, sweeps: Path) -> list[Experience]:
    """Of each sweep that ``request`` starts from; ``sweeps`` holds a folder for each.

    Raises:
        ConfigError: there is no such sweep, it was judged by something else or on other images,
            or it has no trial that can be taken.
    """
    return [_experience(request, sweeps / name) for name in request.warm_start]


def tell_experience(study: optuna.Study, experiences: list[Experience]) -> None:
    """Add the trials, each once, also where an earlier driver was killed at it."""
    known = {t.user_attrs.get(FROM_SWEEP) for t in study.get_trials(deepcopy=False)}
    for trial in (trial for each in experiences for trial in each.trials):
        if trial.user_attrs[FROM_SWEEP] not in known:
            study.add_trial(trial)
    study.set_user_attr(_TAKEN, True)


def is_told(study: optuna.Study) -> bool:
    """Whether :func:`tell_experience` has ended on it."""
    return bool(study.user_attrs.get(_TAKEN, False))


def _experience(request: SweepRequest, folder: Path) -> Experience:
    earlier = load_request(folder)
    _check_comparable(request, earlier)
    trials, refused = [], Counter[str]()
    for name, history in sorted(Ledger(folder / LEDGER_FILE).histories().items()):
        try:
            trials.append(_trial(request, earlier, name, history))
        except _RefusedError as reason:
            refused[str(reason)] += 1
    found = Experience(sweep=earlier.name, trials=trials, refused=refused)
    if not trials:
        raise ConfigError(f"{found}", "leave this --warm-start out")
    return found


def _check_comparable(request: SweepRequest, earlier: SweepRequest) -> None:
    pairs = {
        "data set": (earlier.config.data.dataset, request.config.data.dataset),
        "split": (earlier.split_hash, request.split_hash),
        "objective": (" and ".join(earlier.objectives), " and ".join(request.objectives)),
    }
    for what, (there, here) in pairs.items():
        if there != here:
            raise ConfigError(
                f"--warm-start {earlier.name}: the {what} is {there} there, but {here} here",
                "leave this --warm-start out",
            )


def _trial(
    request: SweepRequest, earlier: SweepRequest, name: str, history: TrialHistory
) -> FrozenTrial:
    state = _STATES.get(history.fate) if history.fate else None
    if state is None or not history.epochs:
        raise _RefusedError("neither complete nor pruned")
    if history.changes:
        raise _RefusedError("its settings changed under way")
    flat = {**earlier.config.flat(), **history.overrides}
    _check_settings(request, flat)
    values = {e: [m[o] for o in request.objectives] for e, m in sorted(history.epochs.items())}
    return create_trial(
        state=state,
        params={path: flat[path] for path in request.space},
        distributions={path: distribution(domain) for path, domain in request.space.items()},
        values=values[history.last_epoch] if state == TrialState.COMPLETE else None,
        intermediate_values={} if request.has_front else {e: v[0] for e, v in values.items()},
        user_attrs={FROM_SWEEP: f"{earlier.key}/{name}"},
    )


def _check_settings(request: SweepRequest, flat: dict[str, Scalar]) -> None:
    """Searched settings lie in the space, all others are this sweep's own; seeds may differ."""
    ignored = {"training.seed"}
    if not any(map(needs_beta, request.objectives)):
        ignored.add(BETA)
    for path, here in request.config.flat().items():
        there = flat.get(path)
        if path in request.space:
            if not request.space[path].contains(there):
                raise _RefusedError(f"{path} is outside {request.space[path]}")
        elif path not in ignored and there != here:
            raise _RefusedError(f"{path} is {there} there, {here} here")
