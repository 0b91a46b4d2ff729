"""A plan's arithmetic, and planned against real."""

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from drmn.errors import ConfigError, DataError
from drmn.presets import sprites
from orchestration.planning.calibration import Calibration
from orchestration.planning.expectation import Expectation
from orchestration.planning.plan import (
    PLAN_FILE,
    Places,
    Plan,
    check_budget,
    comparison,
    fingerprint,
    shown_time,
)
from orchestration.planning.showing import print_plan
from orchestration.request import Resources, SweepRequest
from orchestration.stopping.budget import Budget
from search_spaces.registry import search_space

MEASURED = Calibration(
    opening_s=2.0,
    step_s=0.5,
    image_s=0.01,
    checkpoint_s=1.0,
    extraction_s=0.1,
    checkpoint_bytes=10**6,
    base_bytes=10**8,
    trial_bytes=10**9,
    gpu_bytes=4 * 10**9,
    gpu_total_bytes=24 * 10**9,
    steps=10,
    images=400,
    final_steps=20,
    final_images=1000,
)
REQUEST = SweepRequest(
    name="p",
    variant="+ensemble",
    config=sprites(),
    space=search_space("sprites"),
    data_root=Path("nowhere"),
    num_trials=8,
    resources=Resources(gpus=0.25),
    final_seeds=3,
)


def _plan(folder: Path) -> Plan:
    return Plan(
        request=fingerprint(REQUEST),
        name="p",
        num_trials=8,
        is_open_ended=False,
        max_epochs=10,
        concurrency=4,
        gpus=0.25,
        fit_in_memory=30,
        fit_on_gpus=4,
        num_final_runs=6,
        num_images=1000,
        worker_start_s=3.0,
        rungs=((2, 4.0),),
        pruned=Expectation(passed=(8.0, 4.0), epochs=40.0, spread=6.0, span=12.0),
        unpruned=Expectation(passed=(8.0, 8.0), epochs=80.0, spread=0.0, span=20.0),
        measured=MEASURED,
        places=Places(
            store=str(folder / "store"),
            store_bytes=5 * 10**9,
            store_exists=False,
            checkpoints="s3://bucket/ray",
            num_checkpoints=16,
        ),
    )


def test_times_are_products_of_what_was_measured(tmp_path: Path) -> None:
    plan = _plan(tmp_path)
    assert MEASURED.epoch_s == pytest.approx(10 * 0.5 + 400 * 0.01 + 1)
    assert MEASURED.final_s(10) == pytest.approx(2 + 10 * 20 * 0.5 + 1000 * 0.01)
    assert plan.search_s(plan.pruned) == pytest.approx(3 + 2 * 2 + 12 * 10)
    assert plan.final_s == pytest.approx(3 + 2 * 112)  # six runs, four at once: two rounds
    assert plan.extraction_s == pytest.approx(100)
    assert plan.wall_s(plan.pruned) == pytest.approx(100 + 127 + 227)
    assert plan.gpu_hours(plan.unpruned) == pytest.approx(0.25 * (80 * 10 + 6 * 112) / 3600)
    assert plan.checkpoints_bytes == 16 * 10**6


def test_a_kept_plan_is_compared_with_its_own_request_alone(tmp_path: Path) -> None:
    assert comparison(REQUEST, tmp_path, epochs=44, wall_s=500.0) == ""
    _plan(tmp_path).save(tmp_path)
    line = comparison(REQUEST, tmp_path, epochs=44, wall_s=500.0)
    assert line == "planned 40 epochs, real 44; planned 7.6 min, real 8.3 min"
    assert comparison(REQUEST, tmp_path, epochs=44, wall_s=None) == "planned 40 epochs, real 44"
    assert comparison(replace(REQUEST, num_trials=9), tmp_path, epochs=44, wall_s=1.0) == ""


def test_the_name_costs_nothing_and_a_measured_share_is_the_same_request() -> None:
    assert fingerprint(replace(REQUEST, name="q", identity="x")) == fingerprint(REQUEST)
    measured = replace(REQUEST, measure_gpus=True, resources=Resources(gpus=0))
    packed = replace(measured, resources=Resources(gpus=0.5))
    assert fingerprint(measured) == fingerprint(packed) != fingerprint(REQUEST)


def test_a_damaged_plan_is_named(tmp_path: Path) -> None:
    (tmp_path / PLAN_FILE).write_text("{}")
    with pytest.raises(DataError, match="not a plan"):
        comparison(REQUEST, tmp_path, epochs=1, wall_s=1.0)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        (Budget(wall_h=0.01), "wall budget is 36 s, but one trial of 10 epochs needs 1.8 min"),
        (Budget(gpu_h=0.005), "GPU budget is 18 s, but one trial of 10 epochs needs 26 s"),
    ],
)
def test_a_budget_shorter_than_one_trial_is_refused(
    tmp_path: Path, budget: Budget, message: str
) -> None:
    check_budget(Budget(wall_h=1.0, gpu_h=1.0), _plan(tmp_path))
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_budget(budget, _plan(tmp_path))


def test_it_is_printed_with_its_limits_and_is_plain_json(tmp_path: Path) -> None:
    console = Console(record=True, width=120, file=io.StringIO())
    print_plan(_plan(tmp_path), console)
    text = console.export_text()
    for expected in (
        "40 ± 6",
        "4 fit on one",
        "30 fit in the nodes' memory",
        "to be made",
        "16 MB in s3:",
    ):
        assert expected in text
    content = json.loads(json.dumps(_plan(tmp_path).content()))
    assert content["pruned"]["epochs"] == 40.0
    assert content["checkpoints_free_bytes"] is None


@pytest.mark.parametrize(("seconds", "shown"), [(45, "45 s"), (750, "12.5 min"), (11_520, "3.2 h")])
def test_times_are_shown_in_the_unit_one_thinks_in(seconds: float, shown: str) -> None:
    assert shown_time(seconds) == shown
