"""Trials that fail, through Ray Tune, Optuna and the ledger; the GPUs are pretended."""

import logging
from collections.abc import Iterator
from pathlib import Path

import failing_trials
import optuna
import pytest
import ray
from failing_trials import (
    DIVERGING,
    GOOD,
    NUM_EPOCHS,
    TOO_LARGE,
    TOO_LARGE_FOR_A_SHARE,
    FailingTrial,
)
from optuna.trial import TrialState
from rich.console import Console

from drmn.presets import sprites
from orchestration.events import Fate
from orchestration.ledger import LEDGER_FILE, Ledger, TrialHistory
from orchestration.pruning_rule import Pruner, PruningRule
from orchestration.request import Resources, SweepRequest
from orchestration.searcher.storage import STUDY_FILE, open_storage
from orchestration.searching import SearchParts, search
from orchestration.settings import read_settings
from orchestration.trainable import TrialContext
from search_spaces.registry import search_space

pytestmark = pytest.mark.slow


@pytest.fixture
def one_gpu() -> Iterator[None]:
    ray.init(
        num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False,
        logging_level=logging.ERROR,
    )  # fmt: skip
    ray.cloudpickle.register_pickle_by_value(failing_trials)  # workers cannot import it
    yield
    ray.cloudpickle.unregister_pickle_by_value(failing_trials)
    ray.shutdown()


@pytest.mark.usefixtures("one_gpu")
def test_each_failure_ends_as_it_should(tmp_path: Path) -> None:
    request = SweepRequest(
        name="s",
        variant="+ensemble",
        config=sprites().with_overrides({"training.epochs": NUM_EPOCHS}),
        space=search_space("sprites"),
        data_root=tmp_path,
        num_trials=4,
        resources=Resources(gpus=0.5),
        pruning=PruningRule(pruner=Pruner.NONE),
    )
    ledger = Ledger(tmp_path / LEDGER_FILE)
    context = TrialContext(config={}, data_root="", features=None, num_threads=1)
    parts = SearchParts(
        folder=tmp_path, ledger=ledger, context=context, logger=None, trainable=FailingTrial
    )
    search(request, read_settings({"DRMN_HOME": str(tmp_path)}), Console(quiet=True), parts)
    _check_ledger(ledger.histories())
    _check_optuna(tmp_path)


def _check_ledger(histories: dict[str, TrialHistory]) -> None:
    assert {name: history.fate for name, history in histories.items()} == {
        GOOD: Fate.COMPLETE,
        DIVERGING: Fate.FAILED,
        TOO_LARGE_FOR_A_SHARE: Fate.COMPLETE,
        TOO_LARGE: Fate.FAILED,
    }
    assert histories[DIVERGING].reason == "the losses of epoch 2 are NaN"
    assert histories[TOO_LARGE].reason == "the GPU is too small; configuration abc"
    retried = histories[TOO_LARGE_FOR_A_SHARE].epochs
    assert [retried[epoch]["val/gpus"] for epoch in sorted(retried)] == [0.5, 1.0, 1.0]
    assert sorted(histories[TOO_LARGE].epochs) == [1]


def _check_optuna(folder: Path) -> None:
    storage = open_storage(None, folder / STUDY_FILE)
    (name,) = optuna.get_all_study_names(storage)
    states = [trial.state for trial in optuna.load_study(study_name=name, storage=storage).trials]
    good, bad = TrialState.COMPLETE, TrialState.FAIL
    assert states == [good, bad, good, bad]
