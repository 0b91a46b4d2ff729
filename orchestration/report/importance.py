"""Which hyperparameters mattered in searches: fANOVA and slices."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any

import optuna
from matplotlib.axes import Axes
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial, TrialState

from drmn.names import OBJECTIVE, TIME_EPOCH_S
from drmn.reading import reading
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.report.drawing import OKABE_ITO, Picture, grid
from orchestration.report.results import Results
from orchestration.request_file import load_request
from orchestration.searcher.storage import STUDY_FILE, open_storage
from orchestration.settings import Settings

_FEWEST_TRIALS, _PER_LINE = 4, 4


def row_searches(results: Results, settings: Settings, dataset: str) -> Iterator[Picture]:
    """One figure per search of ``--tune-each`` that ended enough trials."""
    by_search: dict[str, list[str]] = {}
    for place, search in results.record.searches.items():
        if place.startswith(f"{dataset}/"):
            by_search.setdefault(search, []).append(place.partition("/")[2])
    for search, rows in by_search.items():
        folder = settings.sweep_folder(search)
        study = _open(settings, folder, search)
        yield from _search_figure(study, folder, " and ".join(rows), OBJECTIVE)


def sweep_searches(sweeps: tuple[str, ...], settings: Settings) -> Iterator[Picture]:
    """One figure per sweep.

    Raises:
        ConfigError: there is no such sweep.
    """
    for sweep in sweeps:
        request = load_request(settings.sweep_folder(sweep))
        folder = settings.sweep_folder(sweep)
        study = _open(settings, folder, request.key)
        yield from _search_figure(study, folder, f"the sweep {sweep}", request.objectives[0])


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of the objective's variance that each hyperparameter explains (fANOVA)."""
    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))


def _open(settings: Settings, folder: Path, name: str) -> optuna.Study:
    storage = open_storage(settings.study_storage, folder / STUDY_FILE)
    with reading(folder / STUDY_FILE, f"a storage of the study {name!r}"):
        return optuna.load_study(study_name=name, storage=storage)


def _search_figure(
    study: optuna.Study, folder: Path, what: str, objective: str
) -> Iterator[Picture]:
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) >= _FEWEST_TRIALS:
        histories = Ledger(folder / LEDGER_FILE).histories().values()
        epochs = [metrics for each in histories for metrics in each.epochs.values()]
        minutes = sum(metrics.get(TIME_EPOCH_S, 0.0) for metrics in epochs) / 60
        cost = f"{len(histories)} trials, {minutes:.1f} minutes of training"
        yield _slices(f"{what} ({cost})", objective, importances(study), complete)


def _slices(
    what: str, objective: str, shares: dict[str, float], trials: list[FrozenTrial]
) -> Picture:
    """Small multiples, the most important setting first."""
    num_lines = ceil(len(shares) / _PER_LINE)
    drawn, axes = grid(num_lines, min(_PER_LINE, len(shares)), 2.3 * num_lines)
    places = [place for line in axes for place in line]
    scores = [100 * float(trial.value or 0.0) for trial in trials]
    for place, (path, share) in zip(places, shares.items(), strict=False):
        _slice(
            place, [trial.params[path] for trial in trials], scores, trials[0].distributions[path]
        )
        place.set_title(f"{path.rpartition('.')[2]}\n{100 * share:.0f} %", fontsize=9)
    for place in places[len(shares) :]:
        place.set_axis_off()
    for line in axes:
        line[0].set_ylabel(f"{objective}, per cent", fontsize=8)
    said = ", ".join(f"{path} {100 * share:.0f} per cent" for path, share in shares.items())
    return Picture(
        figure=drawn,
        caption=f"The search for {what}: validation score of its {len(trials)} complete "
        "trials against each hyperparameter; above, its share of the variance (fANOVA), which few "
        "trials estimate only roughly.",
        alt=f"Slices of the search; importance: {said}.",
    )


def _slice(place: Axes, values: list[Any], scores: list[float], space: BaseDistribution) -> None:
    if isinstance(space, CategoricalDistribution):
        values = [str(value) for value in values]
    elif getattr(space, "log", False):
        place.set_xscale("log")
    place.scatter(values, scores, s=14, color=OKABE_ITO[0])
    place.tick_params(labelsize=8)
    place.tick_params(axis="x", which="minor", labelbottom=False)
