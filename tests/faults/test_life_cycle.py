"""A few of the lives that ``benchmarks/state_machine.py`` leads by the hundred."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from life_cycle import SweepLifeCycle
from mortal_sweep import empty_home

from orchestration.cluster import cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("default"),  # of Ray, Tune and SQLAlchemy, by the thousand
]


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    with cluster(None):
        yield


@pytest.mark.usefixtures("ray", "hang_up_heard")
def test_books_agree_after_every_step_of_whatever_happens(tmp_path: Path) -> None:
    SweepLifeCycle.template = empty_home(tmp_path / "template")
    few = settings(
        max_examples=10,
        stateful_step_count=25,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.generate,),  # what fails is shrunk by the script
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(SweepLifeCycle, settings=few)
