"""Studies on a real PostgreSQL: sweeps stay apart, a dead driver's trial is taken up."""

from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from drmn.errors import ConfigError
from drmn.names import EPOCH, OBJECTIVE
from drmn.presets import sprites
from orchestration.events import CHECKPOINTS, TRIAL
from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.pruning.rule import NoPruning
from orchestration.reconcile import settle_study
from orchestration.request import SweepRequest
from orchestration.searcher.asking import OptunaSearcher
from orchestration.searcher.storage import open_storage
from orchestration.searcher.study import open_study
from search_spaces.registry import search_space

pytestmark = pytest.mark.slow


def _request(identity: str) -> SweepRequest:
    return SweepRequest(
        name="s",
        identity=identity,
        variant="+ensemble",
        config=sprites().with_overrides({"training.epochs": 2}),
        space=search_space("sprites"),
        data_root=Path("nowhere"),
        num_trials=3,
    )


@pytest.fixture
def driver(postgres: str) -> Iterator[Callable[[SweepRequest], optuna.Study]]:
    """Opens a sweep's study by connections of its own, as another process would."""
    storages: list[RDBStorage] = []

    def opened(request: SweepRequest) -> optuna.Study:
        storage = open_storage(postgres, Path("unused"))
        assert isinstance(storage, RDBStorage)
        storages.append(storage)
        return open_study(request, storage)

    yield opened
    for storage in storages:
        storage.remove_session()
        storage.engine.dispose()


def test_two_sweeps_stay_apart_and_a_dead_drivers_trial_is_taken_up(
    driver: Callable[[SweepRequest], optuna.Study], tmp_path: Path
) -> None:
    first, second = _request("a"), _request("b")
    searcher, other = (OptunaSearcher(driver(r), r) for r in (first, second))
    asked = [searcher.suggest(str(k)) for k in range(2)]
    other.suggest("0")
    searcher.on_trial_complete("0", {EPOCH: 2, OBJECTIVE: 0.5})
    ledger = Ledger(tmp_path / LEDGER_FILE)

    study = driver(first)  # the first driver is dead
    left = settle_study(study, ledger, NoPruning(max_epochs=2), first.objectives)
    assert left == ["0001"]
    resumed = OptunaSearcher(study, first, {name: [] for name in left})
    rest = [resumed.suggest(str(k)) for k in range(3)]
    assert isinstance(asked[1], dict)
    assert rest[0] == {**asked[1], CHECKPOINTS: []}
    assert isinstance(rest[1], dict)
    assert rest[1][TRIAL] == "0002"
    assert not isinstance(rest[2], dict)
    assert len({str(trial.params) for trial in study.trials}) == len(study.trials) == 3
    assert [trial.state for trial in driver(second).trials] == [TrialState.RUNNING]


def test_a_wrong_password_is_a_mistake_without_the_password_in_its_message(postgres: str) -> None:
    wrong = postgres.replace("drmn:", "drmn:not-")
    with pytest.raises(ConfigError, match="check DRMN_STUDY_STORAGE") as caught:
        open_storage(wrong, Path("unused"))
    assert "not-" not in str(caught.value)
