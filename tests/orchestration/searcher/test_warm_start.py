"""What an earlier sweep found is told once, and is neither counted nor run again."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from drmn.errors import ConfigError
from drmn.names import EPOCH, OBJECTIVE
from drmn.presets import sprites
from orchestration.events import TRIAL, Change, Fate
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning_rule import Pruner, PruningRule
from orchestration.request import SweepRequest
from orchestration.request_file import save_request
from orchestration.searcher.asking import OptunaSearcher
from orchestration.searcher.storage import open_storage
from orchestration.searcher.study import FROM_SWEEP, open_study, own_trials
from orchestration.searcher.warm_start import (
    Experience,
    is_told,
    read_experience,
    tell_experience,
)
from search_spaces.domain import LogUniform, Uniform

SC, BETA = "loss.lambda_sc", "inference.beta"
SPACE = {SC: LogUniform(low=0.01, high=1.0), BETA: Uniform(low=0.0, high=1.0)}


def _request(name: str, **changes: Any) -> SweepRequest:
    config = {SC: 0.2, BETA: 0.3, "training.epochs": 2, **changes.pop("config", {})}
    values: dict[str, Any] = {
        "name": name,
        "variant": "+ensemble",
        "config": sprites().with_overrides(config),
        "space": SPACE,
        "data_root": Path("nowhere"),
        "num_trials": 2,
        "split_hash": "a",
    }
    return SweepRequest(**(values | changes))


def _earlier(sweeps: Path, **changes: Any) -> None:
    """Three trials: complete, pruned, failed."""
    request = _request("earlier", **changes)
    save_request(request, sweeps / "earlier")
    ledger = Ledger(sweeps / "earlier" / LEDGER_FILE)
    for k, fate in enumerate((Fate.COMPLETE, Fate.PRUNED, Fate.FAILED)):
        ledger.started(f"000{k}", dict.fromkeys(request.space, 0.1 * (k + 1)))
        for epoch in range(1, 3 - k):
            ledger.epoch_ended(f"000{k}", epoch, {OBJECTIVE: 0.25 * epoch})
        ledger.ended(f"000{k}", fate, 2 - k, "")


def test_trials_are_told_once_and_do_not_count(tmp_path: Path) -> None:
    _earlier(tmp_path)
    request = _request("new", warm_start=("earlier",))
    (found,) = read_experience(request, tmp_path)
    assert str(found) == (
        "warm start from earlier: 2 trials taken, 1 refused: neither complete nor pruned (1)"
    )
    study = open_study(request, open_storage(None, tmp_path / "s.journal"))
    for _ in range(2):
        tell_experience(study, [found])
    assert is_told(study)
    assert [t.state for t in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert study.trials[0].intermediate_values == {1: 0.25, 2: 0.5}
    assert own_trials(study) == []
    searcher = OptunaSearcher(study, request)
    suggestions = [searcher.suggest(str(k)) for k in range(3)]
    assert [s[TRIAL] for s in suggestions[:2] if isinstance(s, dict)] == ["0002", "0003"]
    assert not isinstance(suggestions[2], dict)
    searcher.on_trial_complete("0", {EPOCH: 2, OBJECTIVE: 0.5})
    assert len(own_trials(study, TrialState.COMPLETE)) == 1


def test_a_smaller_space_is_filled_with_what_its_trials_ran_with(tmp_path: Path) -> None:
    _earlier(tmp_path, space={SC: SPACE[SC]})
    (found,) = read_experience(_request("new", warm_start=("earlier",)), tmp_path)
    assert found.trials[0].params == {SC: 0.1, BETA: 0.3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split_hash": "b"}, "the split is a there, but b here"),
        ({"objectives": ("val/czsl_top1",)}, "the objective is val/gzsl_harmonic there"),
        ({"config": {"training.epochs": 4}}, r"0 trials taken.*epochs is 2 there, 4 here \(2\)"),
        ({"space": {SC: SPACE[SC]}}, r"inference.beta is 0.1 there, 0.3 here"),
        ({"space": {**SPACE, SC: LogUniform(low=0.5, high=1.0)}}, "lambda_sc is outside LogUni"),
    ],
)
def test_what_is_not_comparable_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    _earlier(tmp_path)
    with pytest.raises(ConfigError, match=message):
        read_experience(_request("new", warm_start=("earlier",), **changes), tmp_path)


def test_another_seed_is_no_hindrance(tmp_path: Path) -> None:
    _earlier(tmp_path)
    request = _request("new", warm_start=("earlier",), config={"training.seed": 7})
    assert len(read_experience(request, tmp_path)[0].trials) == 2


def test_an_unknown_sweep_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no sweep 'earlier'"):
        read_experience(_request("new", warm_start=("earlier",)), tmp_path)


def test_what_is_refused_says_what_to_leave_out(tmp_path: Path) -> None:
    _earlier(tmp_path)
    other = {"data.dataset": "cub"}
    for changes, message in (
        ({"config": other}, "--warm-start earlier: the data set is sprites there, but cub here"),
        (
            {"objectives": (OBJECTIVE, "time/epoch_s"), "pruning": PruningRule(pruner=Pruner.NONE)},
            f"--warm-start earlier: the objective is {OBJECTIVE} there, but {OBJECTIVE} and "
            "time/epoch_s here",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            read_experience(_request("new", warm_start=("earlier",), **changes), tmp_path)
        assert caught.value.message == message
        assert caught.value.remedy == "leave this --warm-start out"


def test_each_reason_is_counted_and_two_are_told_apart(tmp_path: Path) -> None:
    _earlier(tmp_path)
    ledger = Ledger(tmp_path / "earlier" / LEDGER_FILE)
    ledger.changed("0000", Change(epoch=1, donor="0001", overrides={}))
    ledger.started("0003", {SC: 0.1, BETA: 0.1})
    ledger.ended("0003", Fate.PRUNED, 0, "")
    (found,) = read_experience(_request("new", warm_start=("earlier",)), tmp_path)
    assert str(found) == (
        "warm start from earlier: 1 trials taken, 3 refused: neither complete nor pruned (2); "
        "its settings changed under way (1)"
    )
    assert found.trials[0].user_attrs == {FROM_SWEEP: "earlier/0001"}
    assert found.trials[0].value is None
    without = Experience(sweep="x", trials=[], refused=Counter())
    assert str(without) == "warm start from x: 0 trials taken, 0 refused"


def test_none_that_can_be_taken_is_refused(tmp_path: Path) -> None:
    _earlier(tmp_path, config={"training.epochs": 4})
    with pytest.raises(ConfigError) as caught:
        read_experience(_request("new", warm_start=("earlier",)), tmp_path)
    assert caught.value.remedy == "leave this --warm-start out"


def test_a_study_of_another_driver_is_not_told(tmp_path: Path) -> None:
    assert not is_told(open_study(_request("new"), open_storage(None, tmp_path / "s.journal")))


def test_of_two_objectives_only_the_last_values_are_told(tmp_path: Path) -> None:
    pair = (OBJECTIVE, "val/gzsl_seen")
    changes = {"objectives": pair, "pruning": PruningRule(pruner=Pruner.NONE)}
    save_request(_request("earlier", **changes), tmp_path / "earlier")
    ledger = Ledger(tmp_path / "earlier" / LEDGER_FILE)
    ledger.started("0000", {SC: 0.1, BETA: 0.1})
    for epoch in (1, 2):
        ledger.epoch_ended("0000", epoch, dict.fromkeys(pair, 0.1 * epoch))
    ledger.ended("0000", Fate.COMPLETE, 2, "")
    (found,) = read_experience(_request("new", warm_start=("earlier",), **changes), tmp_path)
    assert found.trials[0].values == [0.2, 0.2]
    assert found.trials[0].intermediate_values == {}


def test_beta_matters_only_where_it_decides(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"space": {SC: SPACE[SC]}, "objectives": ("val/czsl_top1",)}
    save_request(_request("earlier", config={BETA: 0.9}, **changes), tmp_path / "earlier")
    ledger = Ledger(tmp_path / "earlier" / LEDGER_FILE)
    ledger.started("0000", {SC: 0.1})
    ledger.epoch_ended("0000", 1, {"val/czsl_top1": 0.5})
    ledger.ended("0000", Fate.PRUNED, 1, "")
    (found,) = read_experience(_request("new", warm_start=("earlier",), **changes), tmp_path)
    assert len(found.trials) == 1
