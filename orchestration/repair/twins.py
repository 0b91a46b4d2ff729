"""Empty runs that share their key with one in use: a creation was asked for, and done, twice."""

from collections.abc import Mapping

from orchestration.repair.truth import Difference
from orchestration.tracking import DirectTracker, RunRecord


def twin_differences(records: Mapping[str, RunRecord]) -> list[Difference]:
    """Keys with more than one run."""
    return [
        Difference(
            subject=each.name, book="MLflow", has=f"{1 + each.num_twins} runs", should_have="1 run"
        )
        for each in records.values()
        if each.num_twins
    ]


def delete_twins(tracker: DirectTracker, records: Mapping[str, RunRecord]) -> None:
    """Leave one run of each key."""
    for key, record in records.items():
        if record.num_twins:
            tracker.delete_twins(key)
