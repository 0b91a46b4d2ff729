"""Where no hosts can be made: nodes of one machine, one lost, one added, and the driver killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_sweep import FIRST_EPOCHS, TWO_AT_ONCE, ClusterSweep
from disturbances import replace_driver
from stand_in import StandIn, why_no_stand_in

from orchestration.settings import read_settings

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    if reason := why_no_stand_in():
        pytest.skip(reason)
    nodes = StandIn(folder=tmp_path)
    try:
        nodes.start()
        nodes.add_worker()
        yield nodes
    finally:
        nodes.end()


def test_nothing_is_lost_and_nothing_doubled_on_nodes_of_one_machine(stand_in: StandIn) -> None:
    settings = read_settings({"DRMN_HOME": str(stand_in.home)})
    sweep, undisturbed = (
        ClusterSweep(name=name, ray=stand_in, settings=settings)
        for name in ("disturbed", "undisturbed")
    )
    sweep.submit(*TWO_AT_ONCE)
    sweep.await_epochs(FIRST_EPOCHS)
    trials = sweep.unfinished()
    stand_in.lose_worker()
    stand_in.add_worker()
    sweep.await_progress(trials)
    replace_driver(sweep, stand_in.pids())
    sweep.await_end()
    sweep.check_books()
    assert max(each.num_repeated for each in sweep.taken_up()) <= 1
    undisturbed.submit(*TWO_AT_ONCE)
    undisturbed.await_end()
    assert sweep.result() == undisturbed.result()
