"""A sweep's own Optuna study and the names of its trials."""

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from orchestration.request import SweepRequest
from orchestration.searcher.samplers import sampler


def open_study(request: SweepRequest, storage: BaseStorage) -> optuna.Study:
    """The sweep's own study, begun or taken up; its first trial tries the preset's own values."""
    study = optuna.create_study(
        study_name=request.key,
        storage=storage,
        direction="maximize",
        sampler=sampler(request, 0),
        load_if_exists=True,
    )
    if request.paper_values and not study.get_trials(deepcopy=False):
        study.enqueue_trial(request.paper_values)
    return study


def trial_label(number: int) -> str:
    """The sweep's name of Optuna's trial ``number``: sorts as text."""
    return f"{number:04d}"


def running_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """What no driver has told the end of."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
