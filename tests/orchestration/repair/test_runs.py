"""Runs that MLflow lost, left open or got in part, against a ledger; on SQLite."""

from pathlib import Path

import pytest

from drmn.config import Config
from drmn.names import LOSS_TOTAL, OBJECTIVE
from drmn.presets import sprites
from orchestration.events import Fate
from orchestration.ledger import TrialHistory
from orchestration.repair.runs import SweepRuns
from orchestration.settings import read_settings
from orchestration.tracking import DataInput, DirectTracker, MlflowTag, Status, Tag
from orchestration.trial_logging import SweepRun, open_trial_run

pytestmark = pytest.mark.slow

KEY = "s-1234"
CONFIG: Config = sprites()
HISTORIES = {
    name: TrialHistory(
        overrides={"inference.beta": 0.1 * number},
        epochs={epoch: {LOSS_TOTAL: 1.0 / epoch, OBJECTIVE: 0.5} for epoch in (1, 2, 3)},
    )
    for number, name in enumerate(["0000", "0001", "0002"], start=1)
}
FIELDS = {"name": "x", "digest": "d-s", "source_type": "local", "source": "{}"}
DATA = DataInput(fields={**FIELDS, "schema": "{}", "profile": "{}"}, context="validation")
FATES = {"0000": Fate.COMPLETE, "0001": Fate.PRUNED, "0002": Fate.STOPPED}


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> DirectTracker:
    home: Path = tmp_path_factory.mktemp("home")
    return DirectTracker(read_settings({"DRMN_HOME": str(home)}), "drmn-test")


def _runs(tracker: DirectTracker) -> SweepRuns:
    return SweepRuns(tracker, KEY, CONFIG, objective=OBJECTIVE, is_finished=False)


def test_everything_lacking_is_named_and_mended_once(tracker: DirectTracker) -> None:
    other = tracker.open_run(f"{KEY}5/0000", "another sweep's", {})
    assert _runs(tracker).differences(HISTORIES, FATES) == []  # the sweep's own was never begun
    parent_id = tracker.open_run(KEY, "sweep s", {Tag.DATASET: "sprites", Tag.KIND: "sweep"})
    tracker.log_dataset(parent_id, DATA)
    parent = SweepRun(run_id=parent_id, sweep=KEY, tags={}, config=CONFIG)
    whole = open_trial_run(tracker, parent, "0000", HISTORIES["0000"].overrides)
    tracker.log_epochs(whole, HISTORIES["0000"].epochs)
    tracker.close_run(whole, Status.FINISHED)
    gappy = tracker.open_run(f"{KEY}/0001", "trial 0001", {}, parent_id)
    tracker.log_epochs(gappy, {e: HISTORIES["0001"].epochs[e] for e in (1, 3)})
    num_params = len(CONFIG.flat())
    found = {
        (d.subject, d.has, d.should_have) for d in _runs(tracker).differences(HISTORIES, FATES)
    }
    assert found == {
        ("trial 0001", "RUNNING", "KILLED"),
        ("trial 0001", "2 epochs", "3 epochs"),
        ("trial 0001", "0 params", f"{num_params} params"),
        ("trial 0002", "no run", "KILLED"),
        ("sweep s", "RUNNING", "KILLED"),
    }
    _runs(tracker).mend(HISTORIES, FATES)
    assert _runs(tracker).differences(HISTORIES, FATES) == []
    records = tracker.runs_of(KEY)
    assert set(records) == {KEY, f"{KEY}/0000", f"{KEY}/0001", f"{KEY}/0002"}
    lost = records[f"{KEY}/0002"]
    assert (lost.tags[Tag.DATASET], lost.data) == ("sprites", DATA)
    assert "after epoch 3; best" in lost.tags[MlflowTag.DESCRIPTION]
    assert tracker.runs_of(f"{KEY}5/0000")[f"{KEY}5/0000"].run_id == other
