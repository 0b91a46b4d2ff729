"""Optuna's study must know each trial's true fate."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from ray.tune.search import Searcher

from drmn.names import EPOCH, OBJECTIVE
from drmn.presets import sprites
from orchestration.events import CHANGED, CHECKPOINTS, OVERRIDES, TRIAL
from orchestration.request import SweepRequest
from orchestration.sampling import SamplerName, SamplerRule
from orchestration.searcher.asking import OptunaSearcher
from orchestration.searcher.samplers import distribution
from orchestration.searcher.storage import open_storage
from orchestration.searcher.study import open_study
from search_spaces.domain import Choice, LogUniform, Uniform

PAPER = {"loss.lambda_sc": 0.2, "inference.beta": 0.3}
SPACE = {"loss.lambda_sc": LogUniform(low=0.01, high=1.0), "inference.beta": Uniform(low=0, high=1)}


def _request(num_trials: int = 3) -> SweepRequest:
    return SweepRequest(
        name="s",
        variant="+ensemble",
        config=sprites().with_overrides({**PAPER, "training.epochs": 4}),
        space=SPACE,
        data_root=Path("nowhere"),
        num_trials=num_trials,
    )


@pytest.fixture
def storage(tmp_path: Path) -> BaseStorage:
    return open_storage(None, tmp_path / "study.journal")


@pytest.fixture
def study(storage: BaseStorage) -> optuna.Study:
    return open_study(_request(), storage)


def _searcher(study: optuna.Study, num_trials: int = 3) -> OptunaSearcher:
    return OptunaSearcher(study, _request(num_trials))


def _result(epoch: int, value: float) -> dict[str, Any]:
    return {EPOCH: epoch, OBJECTIVE: value}


def test_domains_become_distributions() -> None:
    assert distribution(Uniform(low=0, high=1)) == FloatDistribution(0, 1)
    assert distribution(LogUniform(low=0.1, high=1)) == FloatDistribution(0.1, 1, log=True)
    assert distribution(Choice(options=("a", "b"))) == CategoricalDistribution(("a", "b"))


def test_the_first_trial_tries_the_papers_values(study: optuna.Study) -> None:
    suggestion = _searcher(study).suggest("tune-id")
    assert suggestion == {TRIAL: "0000", OVERRIDES: PAPER, CHECKPOINTS: []}


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


def test_its_own_bookkeeping_never_goes_through_all_trials(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(_request(3), sampler=SamplerRule(name=SamplerName.RANDOM))
    searcher = OptunaSearcher(study, request)
    with monkeypatch.context() as patch:
        patch.setattr(study, "get_trials", None)
        for trial in ("a", "b", "c"):
            searcher.suggest(trial)
            searcher.on_trial_result(trial, _result(1, 0.25))
            searcher.on_trial_complete(trial, _result(4, 0.5))
        assert searcher.suggest("d") == Searcher.FINISHED
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3


def test_what_a_dead_driver_left_is_taken_up_first_with_its_checkpoints(
    study: optuna.Study, storage: BaseStorage
) -> None:
    first = _searcher(study)
    asked = [first.suggest(str(i)) for i in range(2)]
    first.on_trial_result("1", _result(1, 0.5))
    again = open_study(_request(), storage)
    second = OptunaSearcher(again, _request(), {"0001": ["b", "a"], "0000": []})
    taken = [second.suggest(str(i)) for i in range(4)]
    assert taken[0] == asked[0]
    assert isinstance(asked[1], dict)
    assert taken[1] == {**asked[1], CHECKPOINTS: ["b", "a"]}
    assert isinstance(taken[2], dict)
    assert taken[2][TRIAL] == "0002"
    assert taken[3] == Searcher.FINISHED


@pytest.mark.parametrize("path", SPACE)
@pytest.mark.parametrize("num_trials", [1, 3], ids=["planned", "drawn"])
def test_a_trial_whose_driver_died_while_it_asked_gets_all_of_its_values(
    tmp_path: Path, num_trials: int, path: str
) -> None:
    """It died before the value of ``path`` was written."""
    journal = tmp_path / "whole.journal"
    asking = _searcher(open_study(_request(), open_storage(None, journal)))
    (*_, expected) = [asking.suggest(str(i)) for i in range(num_trials)]
    lines = journal.read_bytes().splitlines(keepends=True)
    found = f'"param_name":"{path}"'.encode()
    last = max(n for n, line in enumerate(lines) if found in line)
    cut = tmp_path / "cut.journal"
    cut.write_bytes(b"".join(lines[:last]))
    study = open_study(_request(), open_storage(None, cut))
    name = f"{num_trials - 1:04d}"
    assert OptunaSearcher(study, _request(), {name: []}).suggest("b") == expected


def test_a_repeated_epoch_is_told_once(study: optuna.Study, storage: BaseStorage) -> None:
    first = _searcher(study)
    first.suggest("a")
    first.on_trial_result("a", _result(1, 0.5))
    second = OptunaSearcher(open_study(_request(), storage), _request(), {"0000": []})
    second.suggest("b")
    second.on_trial_result("b", _result(1, 0.5))
    second.on_trial_complete("b", _result(4, 0.75))
    assert study.trials[0].intermediate_values == {1: 0.5, 4: 0.75}


def test_a_restart_draws_what_an_undisturbed_search_draws(
    study: optuna.Study, storage: BaseStorage, tmp_path: Path
) -> None:
    undisturbed = _searcher(open_study(_request(), open_storage(None, tmp_path / "b.journal")))
    expected = [undisturbed.suggest(str(i)) for i in range(3)]
    first = [_searcher(study).suggest("0")]
    rest = OptunaSearcher(open_study(_request(), storage), _request())
    assert [*first, *(rest.suggest(str(i)) for i in (1, 2))] == expected


def test_it_names_metric_and_mode_and_pickles_without_what_is_live(study: optuna.Study) -> None:
    searcher = _searcher(study)
    assert (searcher.metric, searcher.mode) == (OBJECTIVE, "max")
    cheap = replace(_request(), objectives=("loss/total",))
    assert OptunaSearcher(study, cheap).mode == "min"
    assert not set(searcher.__getstate__()) & {"_study", "_running", "_request", "_plan"}
    assert "_num_begun" in searcher.__getstate__()


def test_a_trial_that_changed_under_way_goes_on_with_what_it_has(study: optuna.Study) -> None:
    _searcher(study).suggest("a")
    changed = {"loss.lambda_sc": 0.5}
    second = OptunaSearcher(study, _request(), {"0000": []}, {"0000": changed})
    suggestion = second.suggest("b")
    assert isinstance(suggestion, dict)
    assert (suggestion[OVERRIDES], suggestion[CHANGED]) == (PAPER, changed)


def test_two_enqueued_by_a_dead_driver_are_asked_before_anything_is_planned(
    study: optuna.Study,
) -> None:
    first, second = {**PAPER, "inference.beta": 0.5}, {**PAPER, "inference.beta": 0.75}
    for each in (first, second):
        study.enqueue_trial(each)
    searcher = _searcher(study, num_trials=3)
    asked = [searcher.suggest(str(k)) for k in range(3)]
    overrides = [each[OVERRIDES] for each in asked if isinstance(each, dict)]
    assert overrides[:2] == [first, second]
    assert overrides[2] not in (first, second, PAPER)
