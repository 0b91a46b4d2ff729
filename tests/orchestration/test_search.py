"""Optuna's study must know each trial's true fate."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from drmn.names import EPOCH, OBJECTIVE
from orchestration.events import OVERRIDES, TRIAL
from orchestration.search import OptunaSearcher, create_study, distribution, open_storage
from search_spaces.domain import Choice, LogUniform, Uniform

SPACE = {"loss.lambda_sc": LogUniform(low=0.01, high=1.0), "inference.beta": Uniform(low=0, high=1)}
PAPER = {"loss.lambda_sc": 0.2, "inference.beta": 0.3}


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    return create_study("s", open_storage(None, tmp_path / "study.journal"), seed=0, num_trials=8)


def _searcher(study: optuna.Study, num_trials: int = 3) -> OptunaSearcher:
    return OptunaSearcher(
        study, SPACE, num_trials=num_trials, num_epochs=4, metric=OBJECTIVE, first=PAPER
    )


def _result(epoch: int, value: float) -> dict[str, Any]:
    return {EPOCH: epoch, OBJECTIVE: value}


def test_domains_become_distributions() -> None:
    assert distribution(Uniform(low=0, high=1)) == FloatDistribution(0, 1)
    assert distribution(LogUniform(low=0.1, high=1)) == FloatDistribution(0.1, 1, log=True)
    assert distribution(Choice(options=("a", "b"))) == CategoricalDistribution(("a", "b"))


def test_the_first_trial_tries_the_papers_values(study: optuna.Study) -> None:
    suggestion = _searcher(study).suggest("tune-id")
    assert suggestion == {TRIAL: "0000", OVERRIDES: PAPER}


def test_a_trial_stopped_early_is_pruned_with_its_intermediate_values(study: optuna.Study) -> None:
    searcher = _searcher(study)
    searcher.suggest("a")
    searcher.on_trial_result("a", _result(1, 0.25))
    searcher.on_trial_complete("a", _result(2, 0.5))
    trial = study.trials[0]
    assert trial.state == TrialState.PRUNED
    assert trial.intermediate_values == {1: 0.25, 2: 0.5}


def test_a_trial_at_its_last_epoch_is_complete_with_its_value(study: optuna.Study) -> None:
    searcher = _searcher(study)
    searcher.suggest("a")
    searcher.on_trial_complete("a", _result(4, 0.75))
    assert study.trials[0].state == TrialState.COMPLETE
    assert study.best_value == 0.75


@pytest.mark.parametrize(("result", "error"), [(None, True), (None, False)])
def test_an_error_is_a_failure_not_a_bad_score(
    study: optuna.Study, result: None, error: bool
) -> None:
    searcher = _searcher(study)
    searcher.suggest("a")
    searcher.on_trial_complete("a", result, error=error)
    assert study.trials[0].state == TrialState.FAIL
    assert study.trials[0].value is None


def test_it_asks_exactly_as_many_trials_as_requested(study: optuna.Study) -> None:
    searcher = _searcher(study, num_trials=3)
    suggestions = [searcher.suggest(str(i)) for i in range(4)]
    assert [isinstance(s, dict) for s in suggestions] == [True, True, True, False]
    assert len({s[TRIAL] for s in suggestions[:3] if isinstance(s, dict)}) == 3


@pytest.mark.usefixtures("study")
def test_a_study_belongs_to_one_sweep(tmp_path: Path) -> None:
    with pytest.raises(optuna.exceptions.DuplicatedStudyError):
        create_study("s", open_storage(None, tmp_path / "study.journal"), seed=0, num_trials=8)
