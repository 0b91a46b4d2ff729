"""A sweep's own books: ledger, pruner's journal and Optuna's study, kept as its driver keeps them.

No trial is trained: its value follows from its settings, so that a driver that died and another
that went on must end with what one driver alone would have ended with.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import optuna
from fault_matrix import Told
from ray.tune.search import Searcher

from drmn.names import EPOCH, OBJECTIVE
from drmn.presets import sprites
from orchestration.events import OVERRIDES, TRIAL, Fate
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning.choice import build_rule
from orchestration.pruning.journal import JOURNAL_FILE, Journal
from orchestration.pruning_rule import PruningRule
from orchestration.reconcile import park_unfinished, settle_study
from orchestration.repair.truth import ledger_differences, optuna_differences, true_fates
from orchestration.request import SweepRequest
from orchestration.searcher.asking import OptunaSearcher
from orchestration.searcher.storage import STUDY_FILE, open_storage
from orchestration.searcher.study import open_study, own_trials
from orchestration.searching import record_stopped
from search_spaces.domain import LogUniform, Uniform

NUM_TRIALS, NUM_EPOCHS = 3, 3


def request() -> SweepRequest:
    return SweepRequest(
        name="s",
        variant="+ensemble",
        config=sprites().with_overrides({"training.epochs": NUM_EPOCHS}),
        space={
            "loss.lambda_sc": LogUniform(low=0.01, high=1.0),
            "inference.beta": Uniform(low=0, high=1),
        },
        data_root=Path("nowhere"),
        num_trials=NUM_TRIALS,
        pruning=PruningRule(grace_period=1, reduction_factor=3),
    )


class Driver:
    """What a driver's life does with the three books."""

    def __init__(self, folder: Path, told: Told) -> None:
        self._told = told
        self._request = request()
        self.ledger = Ledger(folder / LEDGER_FILE)
        self.ledger.begin_attempt()
        self.study = open_study(self._request, open_storage(None, folder / STUDY_FILE))
        rule = build_rule(self._request.pruning, NUM_EPOCHS, self._request.seed)
        self._journal = Journal(rule, folder / JOURNAL_FILE)
        left = settle_study(self.study, self.ledger, rule, self._request.objectives)
        unfinished = {name: [] for name in left}
        self._searcher = OptunaSearcher(self.study, self._request, unfinished)

    def drive(self) -> None:
        """All trials, one after the other, in the order of calls that Tune makes."""
        try:
            while (suggestion := self._searcher.suggest("tune's own")) != Searcher.FINISHED:
                assert isinstance(suggestion, dict)
                self._trial(suggestion)
        finally:
            park_unfinished(self.study)
            record_stopped(self.ledger, [self.ledger], "its driver failed")

    def _trial(self, suggestion: dict[str, Any]) -> None:
        name, overrides = suggestion[TRIAL], suggestion[OVERRIDES]
        self.ledger.started(name, overrides)
        known = self.ledger.histories()[name].last_epoch
        for epoch in range(1, NUM_EPOCHS + 1):
            result = {EPOCH: epoch, OBJECTIVE: value(overrides, epoch)}
            goes_on = self._journal.goes_on(name, epoch, result[OBJECTIVE])
            if goes_on:
                self._searcher.on_trial_result("tune's own", result)
            if epoch > known:
                self.ledger.epoch_ended(name, epoch, result)
                self._told(f"epoch {name} {epoch}")
            if not goes_on:
                self._end(name, epoch, result)
                return

    def _end(self, name: str, epoch: int, result: dict[str, Any]) -> None:
        self._searcher.on_trial_complete("tune's own", result)
        fate = Fate.COMPLETE if epoch == NUM_EPOCHS else Fate.PRUNED
        self.ledger.ended(name, fate, epoch, "")
        self._told(f"fate {name} {fate.value}")


def value(overrides: dict[str, Any], epoch: int) -> float:
    return float(overrides["inference.beta"]) * epoch / NUM_EPOCHS


class Books:
    """See the module."""

    name, port = "books", 0

    def prepare(self, folder: Path) -> None:
        reference()

    def work(self, folder: Path, told: Told) -> None:
        Driver(folder, told).drive()

    def check(self, folder: Path, told: Sequence[str]) -> None:
        histories = Ledger(folder / LEDGER_FILE).histories()
        for kind, name, what in map(str.split, told):
            has = histories[name].epochs if kind == "epoch" else [histories[name].fate]
            assert (int(what) if kind == "epoch" else Fate(what)) in has, f"lost: {kind} {name}"

    def check_end(self, folder: Path) -> None:
        found, expected = outcome(folder), reference()
        wrong = {key: (found[key], expected[key]) for key in found if found[key] != expected[key]}
        assert not wrong, f"not as undisturbed: {wrong}"


def outcome(folder: Path) -> dict[str, Any]:
    """All that the books say of a sweep that is done, which must agree with each other."""
    ledger = Ledger(folder / LEDGER_FILE)
    study = open_study(request(), open_storage(None, folder / STUDY_FILE))
    rule = Journal(build_rule(request().pruning, NUM_EPOCHS, 0), folder / JOURNAL_FILE).rule
    histories = ledger.histories()
    fates = true_fates(study, histories, rule)
    assert not ledger_differences(histories, fates), ledger_differences(histories, fates)
    assert not optuna_differences(study, fates), optuna_differences(study, fates)
    trials = own_trials(study)
    return {
        "fates": {name: fate.value for name, fate in fates.items()},
        "epochs": sorted(ledger.epochs()),
        "stopped": sorted(rule.stopped),
        "params": [trial.params for trial in trials],
        "reports": [trial.intermediate_values for trial in trials],
        "values": [trial.values for trial in trials],
    }


@cache
def reference() -> dict[str, Any]:
    """What one driver ends with that nothing disturbs."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with TemporaryDirectory() as name:
        Driver(Path(name), lambda _: None).drive()
        return outcome(Path(name))
