"""Three hosts and their stores, one thing failing after another: no trial is lost or doubled."""

from collections.abc import Callable
from typing import Any

import pytest
from cluster_sweep import FIRST_EPOCHS, TWO_AT_ONCE, ClusterSweep
from disturbances import (
    Recovery,
    cut_worker,
    kill_driver,
    lose_head,
    lose_worker,
    stop_mlflow,
    stop_s3,
)
from recovery_table import RecoveryTable
from rig import Rig

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

CASES: dict[str, tuple[str, Callable[[Rig, ClusterSweep], Recovery]]] = {
    "worker": ("a worker is killed", lose_worker),
    "s3": ("S3 is down for 60 s", stop_s3),
    "head": ("the head is killed, started again, and the sweep resumed", lose_head),
    "link": ("a worker's link goes down", cut_worker),
    "driver": ("the driver is killed, and resumed", kill_driver),
    "mlflow": ("MLflow is down for 60 s", stop_mlflow),
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_lost_and_nothing_doubled(
    rig: Rig, undisturbed: dict[str, Any], table: RecoveryTable, case: str
) -> None:
    what, disturb = CASES[case]
    rig.heal()
    sweep = rig.sweep(case)
    sweep.submit(*TWO_AT_ONCE)
    sweep.await_epochs(FIRST_EPOCHS)
    with table.timed(what) as row:
        row.recovery = disturb(rig, sweep)
        sweep.await_end()
    sweep.check_books()
    assert sweep.result() == undisturbed
    row.num_repeated = max(each.num_repeated for each in sweep.taken_up())
    assert row.num_repeated <= 1  # a checkpoint follows each epoch
    table.add(row)
