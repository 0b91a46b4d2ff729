"""A population through Ray: trials take over others' weights, also across a driver's death."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from sweep_process import SWEEP, SweepProcess

from orchestration.events import Fate
from orchestration.pruning.choice import build_rule
from orchestration.pruning.journal import JOURNAL_FILE, Journal
from orchestration.pruning.population import PopulationBased
from orchestration.request_file import load_request
from orchestration.searcher.storage import open_storage
from orchestration.searcher.study import LAST_OVERRIDES
from orchestration.tracking import Tag

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PBT = [*SWEEP, "--pruner", "pbt", "--trials", "4", "--no-paper-final", "--final-seeds", "1"]


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[SweepProcess]:
    sweep = SweepProcess(tmp_path)
    yield sweep
    sweep.close()


def _changes(sweep: SweepProcess) -> dict[tuple[str, int], tuple[str, str]]:
    return {
        (trial, epoch): (change.donor, str(change.overrides["loss.schedule"]))
        for trial, history in sweep.ledger.histories().items()
        for epoch, change in history.changes.items()
    }


def test_killed_and_resumed_a_population_moves_as_if_undisturbed(
    sweep: SweepProcess, tmp_path: Path
) -> None:
    sweep.run("drmn-sweep", *PBT)
    _check_books(sweep)
    expected, result = _changes(sweep), sweep.result()
    shutil.rmtree(sweep.folder)
    for path in tmp_path.glob("mlflow.db*"):
        path.unlink()
    driver = sweep.start(PBT, until_changes=1)
    driver.kill()
    driver.wait(timeout=30)
    sweep.run("drmn", "runs", "resume", "s")
    _check_books(sweep)
    assert _changes(sweep) == expected
    assert sweep.result() == result


def _check_books(sweep: SweepProcess) -> None:
    histories, changes = sweep.ledger.histories(), _changes(sweep)
    assert changes
    ended = {name: (sorted(each.epochs), each.fate) for name, each in histories.items()}
    assert ended == {f"{number:04d}": ([1, 2, 3, 4], Fate.COMPLETE) for number in range(4)}
    request = load_request(sweep.folder)
    rule = build_rule(request.pruning, 4, request.seed)
    Journal(rule, sweep.folder / JOURNAL_FILE)
    assert isinstance(rule, PopulationBased)
    assert {key: move.donor for key, move in rule.moves.items()} == {
        key: donor for key, (donor, _) in changes.items()
    }
    assert sweep.differences() == []
    _check_study(sweep)
    _check_mlflow(sweep)


def _check_study(sweep: SweepProcess) -> None:
    storage = open_storage(None, sweep.folder / "study.journal")
    (name,) = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    assert all(trial.state.name == "COMPLETE" for trial in trials)
    last = {f"{t.number:04d}": t.user_attrs.get(LAST_OVERRIDES) for t in trials}
    for trial, history in sweep.ledger.histories().items():
        assert last[trial] == (history.overrides_at(5) if history.changes else None)


def _check_mlflow(sweep: SweepProcess) -> None:
    client = MlflowClient(f"sqlite:///{sweep.home}/mlflow.db")
    experiment = client.get_experiment_by_name("drmn-sprites")
    assert experiment is not None
    tags = [run.data.tags for run in client.search_runs([experiment.experiment_id])]
    found = {each[Tag.TRIAL_KEY].rpartition("/")[2]: each.get(Tag.SCHEDULE) for each in tags}
    for trial, history in sweep.ledger.histories().items():
        expected = history.overrides_at(5).get("loss.schedule")
        assert found[trial] == expected
