"""A small load: what a driver gains per trial is bounded, and all of it reaches MLflow."""

import endurance
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TRIALS, EPOCHS, METRICS = 40, 20, 12
MAX_KIB_PER_TRIAL = 1500.0
"""Of the first trials, in which caches fill; docs/reliability.md has the figure of many."""


def test_a_driver_grows_little_with_its_trials_and_mlflow_has_all() -> None:
    found = endurance.run(["--trials", str(TRIALS), "--epochs", str(EPOCHS)], timeout_s=150)
    assert found["num_epochs"] == TRIALS * EPOCHS
    assert found["fates"] == {"complete": TRIALS}
    assert found["mlflow_runs"] == TRIALS + 1
    assert found["mlflow_points"] == TRIALS * EPOCHS * METRICS
    assert found["most_checkpoints_of_a_trial"] <= 2
    assert found["resident_kib_per_trial"] < MAX_KIB_PER_TRIAL
    for name in ("descriptors", "threads"):
        least, most = found[name]
        assert most - least <= 8, (name, least, most)
