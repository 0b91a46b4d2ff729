"""Which hyperparameters mattered in the rows' searches: fANOVA and slices."""

from collections.abc import Iterator

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from drmn.names import OBJECTIVE
from orchestration.report.drawing import OKABE_ITO, Picture, grid
from orchestration.report.results import Results
from orchestration.searcher.storage import STUDY_FILE, open_storage
from orchestration.settings import Settings

_FEWEST_TRIALS = 4


def searches(results: Results, settings: Settings, dataset: str) -> Iterator[Picture]:
    """One figure per search that ended enough trials; none without ``--tune-each``."""
    by_search: dict[str, list[str]] = {}
    for place, search in results.record.searches.items():
        if place.startswith(f"{dataset}/"):
            by_search.setdefault(search, []).append(place.partition("/")[2])
    for search, rows in by_search.items():
        storage = open_storage(settings.study_storage, settings.sweep_folder(search) / STUDY_FILE)
        study = optuna.load_study(study_name=search, storage=storage)
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) >= _FEWEST_TRIALS:
            yield _slices(" and ".join(rows), importances(study), complete)


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of the objective's variance that each hyperparameter explains (fANOVA)."""
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))


def _slices(rows: str, shares: dict[str, float], trials: list[FrozenTrial]) -> Picture:
    drawn, (axes,) = grid(1, len(shares), 2.6)
    for place, (path, share) in zip(axes, shares.items(), strict=True):
        values = [trial.params[path] for trial in trials]
        scores = [100 * float(trial.value or 0.0) for trial in trials]
        place.scatter(values, scores, s=14, color=OKABE_ITO[0])
        place.set_title(f"{path.rpartition('.')[2]}\n{100 * share:.0f} %", fontsize=9)
        place.tick_params(labelsize=8)
    axes[0].set_ylabel(f"{OBJECTIVE}, per cent", fontsize=8)
    said = ", ".join(f"{path} {100 * share:.0f} per cent" for path, share in shares.items())
    return Picture(
        figure=drawn,
        caption=f"The search for {rows}: validation score of its {len(trials)} complete trials "
        "against each hyperparameter; above, its share of the variance (fANOVA).",
        alt=f"Slices of the search; importance: {said}.",
    )
