"""Every sampler on scripted objectives: no repeats, and a restart changes nothing."""

from itertools import product
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from drmn.config_tree import Scalar
from drmn.names import EPOCH, OBJECTIVE
from drmn.presets import sprites
from orchestration.events import OVERRIDES, TRIAL
from orchestration.pruning_rule import PruningRule
from orchestration.request import SweepRequest
from orchestration.sampling import SamplerName, SamplerRule
from orchestration.searcher.asking import OptunaSearcher
from orchestration.searcher.samplers import sampler
from orchestration.searcher.storage import open_storage
from orchestration.searcher.study import open_study
from search_spaces.domain import Choice, LogUniform, Uniform

SC, BETA, HEADS = "loss.lambda_sc", "inference.beta", "model.sit.heads"
SPACE = {
    SC: LogUniform(low=0.01, high=1.0),
    BETA: Uniform(low=0.0, high=1.0),
    HEADS: Choice(options=(2, 4)),
}
PAPER = {SC: 0.2, BETA: 0.3, HEADS: 2}


def _request(name: SamplerName, num_trials: int = 12, **changes: Any) -> SweepRequest:
    return SweepRequest(
        name="s",
        variant="+ensemble",
        config=sprites().with_overrides({**PAPER, "training.epochs": 2}),
        space=SPACE,
        data_root=Path("nowhere"),
        num_trials=num_trials,
        pruning=PruningRule(pruner="none"),
        sampler=SamplerRule(name=name, grid_points=2),
        **changes,
    )


def _score(values: dict[str, Scalar]) -> float:
    return 1.0 - abs(float(values[BETA]) - 0.7) - 0.1 * (values[HEADS] == 2)


def _run(request: SweepRequest, folder: Path, *, restart_after: int = 0) -> list[dict[str, Any]]:
    """Two trials at a time to their ends; with a new driver after ``restart_after`` of them."""
    asked: list[dict[str, Any]] = []
    searcher = _driver(request, folder)
    while True:
        running = [searcher.suggest(str(len(asked) + k)) for k in range(2)]
        begun = [s for s in running if isinstance(s, dict)]
        for k, suggestion in enumerate(begun):
            result = {EPOCH: 2, OBJECTIVE: _score(suggestion[OVERRIDES])}
            searcher.on_trial_complete(str(len(asked) + k), result)
        asked += begun
        if len(begun) < len(running):
            return asked
        if len(asked) == restart_after:
            searcher = _driver(request, folder)


def _driver(request: SweepRequest, folder: Path) -> OptunaSearcher:
    return OptunaSearcher(open_study(request, open_storage(None, folder / "s.journal")), request)


def _num_trials(name: SamplerName) -> int:
    return 9 if name == SamplerName.GRID else 8


@pytest.mark.parametrize("name", list(SamplerName))
def test_a_restart_repeats_nothing_and_changes_nothing(name: SamplerName, tmp_path: Path) -> None:
    request = _request(name, _num_trials(name))
    asked = _run(request, tmp_path / "a")
    assert [each[TRIAL] for each in asked] == [f"{k:04d}" for k in range(request.num_trials)]
    assert asked[0][OVERRIDES] == PAPER
    assert len({tuple(each[OVERRIDES].items()) for each in asked}) == request.num_trials
    assert all(SPACE[p].contains(v) for each in asked for p, v in each[OVERRIDES].items())
    assert _run(request, tmp_path / "b", restart_after=6) == asked


@pytest.mark.parametrize("name", [SamplerName.TPE, SamplerName.GP])
def test_a_sampler_that_learns_comes_nearer_than_its_random_start(
    name: SamplerName, tmp_path: Path
) -> None:
    scores = [_score(each[OVERRIDES]) for each in _run(_request(name, 20), tmp_path)]
    assert max(scores[10:]) > 0.97
    assert sum(scores[10:]) > sum(scores[:10])


def test_the_grid_is_tried_whole_besides_the_papers_values(tmp_path: Path) -> None:
    asked = _run(_request(SamplerName.GRID, 9), tmp_path)
    grid = {tuple(each[OVERRIDES].values()) for each in asked[1:]}
    assert grid == set(product((0.01, 1.0), (0.0, 1.0), (2, 4)))


def test_sobols_points_fill_the_space_evenly(tmp_path: Path) -> None:
    asked = _run(_request(SamplerName.QMC, 16, paper_first=False), tmp_path)
    sixteenths = sorted(int(16 * each[OVERRIDES][BETA]) for each in asked)
    assert sixteenths == list(range(16))


def test_a_driver_killed_between_planning_and_asking_loses_no_point(tmp_path: Path) -> None:
    request = _request(SamplerName.GRID, 9)
    whole = _run(request, tmp_path / "a")
    study = open_study(request, open_storage(None, tmp_path / "b" / "s.journal"))
    study.enqueue_trial(PAPER)
    assert _run(request, tmp_path / "b") == whole


def test_enqueued_trials_come_after_the_papers_values(tmp_path: Path) -> None:
    enqueued = ({**PAPER, BETA: 0.9}, {**PAPER, BETA: 0.5})
    asked = _run(_request(SamplerName.TPE, 4, enqueued=enqueued), tmp_path)
    assert [each[OVERRIDES] for each in asked[:3]] == [PAPER, *enqueued]


def test_two_objectives_are_told_at_the_last_epoch_and_never_pruned(tmp_path: Path) -> None:
    second = "time/epoch_s"
    request = _request(SamplerName.TPE, 2, objectives=(OBJECTIVE, second))
    study = open_study(request, open_storage(None, tmp_path / "s.journal"))
    searcher = OptunaSearcher(study, request)
    for name, time_s in (("a", 2.0), ("b", 1.0)):
        searcher.suggest(name)
        searcher.on_trial_result(name, {EPOCH: 1, OBJECTIVE: 0.1, second: time_s})
        searcher.on_trial_complete(name, {EPOCH: 2, OBJECTIVE: 0.5, second: time_s})
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2
    assert [trial.number for trial in study.best_trials] == [1]


def test_the_sequence_begins_behind_what_was_planned(tmp_path: Path) -> None:
    plain = _run(_request(SamplerName.QMC, 4, paper_first=False), tmp_path / "a")
    after = _run(_request(SamplerName.QMC, 5, paper_first=True), tmp_path / "b")
    assert [each[OVERRIDES] for each in after[1:]] == [each[OVERRIDES] for each in plain]
    other = _run(_request(SamplerName.QMC, 4, paper_first=False, seed=1), tmp_path / "c")
    assert [each[OVERRIDES] for each in other] != [each[OVERRIDES] for each in plain]
    assert plain[0][OVERRIDES][BETA] not in (0.0, 0.5)  # the sequence is scrambled


@pytest.mark.parametrize(("num_trials", "num_random"), [(2, 4), (19, 4), (24, 6), (400, 10)])
def test_a_quarter_of_the_trials_is_drawn_at_random_first(num_trials: int, num_random: int) -> None:
    tpe = sampler(_request(SamplerName.TPE, num_trials), 3)
    gp = sampler(_request(SamplerName.GP, num_trials), 3)
    assert isinstance(tpe, TPESampler)
    assert tpe._n_startup_trials == num_random
    assert type(tpe._n_startup_trials) is int
    assert tpe._multivariate
    assert tpe._constant_liar
    assert gp._n_startup_trials == num_random  # type: ignore[attr-defined]


def test_a_new_study_draws_as_its_first_trial_would() -> None:
    study = open_study(request := _request(SamplerName.RANDOM), InMemoryStorage())
    drawn = [
        each.sampler.sample_independent(study, study.trials, BETA, FloatDistribution(0, 1))  # type: ignore[arg-type]
        for each in (study, optuna.create_study(sampler=sampler(request, 0)))
    ]
    assert drawn[0] == drawn[1]
