"""A sweep on a cluster that has no worker: its autoscaler starts what the trials ask for."""

import time
from typing import Any

import pytest
from cluster_sweep import LIMIT_S, TWO_AT_ONCE, ClusterSweep
from disturbances import Recovery
from job_api import wait_until
from namespaces import Host
from recovery_table import RecoveryTable
from rig import Rig

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

WHAT = "no worker is up: an autoscaler adds the first, and another for a trial that waits"
TRIAL = b"ray::ResourceTrainable"
"""What Ray calls the process of a trial, Tune's class for functions with resources."""


def test_trials_start_on_machines_that_are_started_for_them(
    rig: Rig, undisturbed: dict[str, Any], table: RecoveryTable
) -> None:
    sweep = rig.sweep("zero")
    with rig.autoscaled() as cloud:
        with table.timed(WHAT) as row:
            submitted = time.monotonic()
            sweep.submit(*TWO_AT_ONCE)
            _await_trials_on(1, sweep)
            with _host_with_trial(rig, sweep).paused(TRIAL):
                _await_trials_on(2, sweep)
            back_s = time.monotonic() - submitted
            sweep.await_end()
        ended = time.monotonic()
        assert "one is asked for, and waited for" in sweep.log()
        sweep.check_books()
        assert sweep.result() == undisturbed
        wait_until(lambda: not cloud.machines(), "machines that idle are ended", LIMIT_S)
        gone_s = time.monotonic() - ended
    first, second, *_ = (when - submitted for when, _ in cloud.started)
    remark = (
        f"counted from the submission; machines ordered after {first:.0f} and {second:.0f} s, "
        f"ended within {gone_s:.0f} s of the sweep"
    )
    row.recovery = Recovery(back_s=back_s, remark=remark)
    row.num_repeated = max(each.num_repeated for each in sweep.taken_up())
    assert row.num_repeated <= 1
    table.add(row)


def _host_with_trial(rig: Rig, sweep: ClusterSweep) -> Host:
    """Held up there, the trial cannot leave its machine to the next one before another is up."""
    node = sweep.taken_up()[0].node
    return next(host for host in rig.workers if host.address == node)


def _await_trials_on(num_hosts: int, sweep: ClusterSweep) -> None:
    """Until trials have ended epochs on so many hosts."""

    def are_there() -> bool:
        return bool(sweep.num_epochs()) and len({t.node for t in sweep.taken_up()}) >= num_hosts

    sweep.wait_until(are_there, f"trials on {num_hosts} hosts")
