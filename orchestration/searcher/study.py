"""A sweep's own Optuna study: its trials, their names, and what is told of them."""

from collections.abc import Mapping, Sequence

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from drmn.config_tree import Scalar
from orchestration.objective import direction
from orchestration.request import SweepRequest
from orchestration.searcher.samplers import sampler

FROM_SWEEP = "drmn.from_sweep"
"""User attribute of a trial that an earlier sweep ran: ``SWEEP/TRIAL``."""
LAST_OVERRIDES = "drmn.last_overrides"
"""User attribute of a trial whose settings changed under way: the last ones."""


def open_study(request: SweepRequest, storage: BaseStorage) -> optuna.Study:
    """The sweep's own study, begun or taken up."""
    return optuna.create_study(
        study_name=request.key,
        storage=storage,
        directions=[direction(objective) for objective in request.objectives],
        sampler=sampler(request, 0),
        load_if_exists=True,
    )


def trial_label(number: int) -> str:
    """The sweep's name of Optuna's trial ``number``: sorts as text."""
    return f"{number:04d}"


def own_trials(study: optuna.Study, *states: TrialState) -> list[FrozenTrial]:
    """The trials that this sweep asked for; of all states where none is given."""
    trials = study.get_trials(deepcopy=False, states=states or None)
    return [trial for trial in trials if FROM_SWEEP not in trial.user_attrs]


def running_trials(study: optuna.Study) -> list[FrozenTrial]:
    """What no driver has told the end of."""
    return own_trials(study, TrialState.RUNNING)


def report(
    trial: optuna.Trial,
    frozen: FrozenTrial,
    objectives: Sequence[str],
    epochs: Mapping[int, Mapping[str, float]],
) -> None:
    """Tell the study those epochs of ``trial`` that it does not know; it wants one objective."""
    if len(objectives) > 1:
        return
    for epoch in sorted(set(epochs) - set(frozen.intermediate_values)):
        trial.report(epochs[epoch][objectives[0]], step=epoch)


def note_change(study: optuna.Study, name: str, overrides: Mapping[str, Scalar]) -> None:
    """Note what a trial goes on with: its parameters stay those it began with."""
    frozen = study.get_trials(deepcopy=False)[int(name)]
    if not frozen.state.is_finished():
        optuna.Trial(study, frozen._trial_id).set_user_attr(LAST_OVERRIDES, dict(overrides))


def tell_complete(
    study: optuna.Study,
    trial: optuna.Trial,
    objectives: Sequence[str],
    metrics: Mapping[str, float],
) -> None:
    """Tell the study a trial's values after its last epoch."""
    study.tell(trial, [metrics[objective] for objective in objectives])
