"""A sample of the crash matrix: benchmarks/crash_matrix.py tries every write of every operation."""

from pathlib import Path

import pytest
from crash_matrix import tried
from write_faults import missing_compiler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_compiler()), reason=missing_compiler() or "never"),
]


@pytest.mark.parametrize(
    ("names", "faults", "every"),
    [
        (["books", "tune state"], ["kill", "torn", "full"], 13),
        (["checkpoint", "final", "request"], ["torn", "eio", "full"], 5),
    ],
    ids=["books", "files"],
)
def test_a_fault_at_a_write_breaks_nothing(
    tmp_path: Path, names: list[str], faults: list[str], every: int
) -> None:
    found = tried(tmp_path, names, faults, every=every)
    assert {each["writer"] for each in found} == set(names)
    attempts = [attempt for each in found for attempt in each["attempts"]]
    assert len(attempts) >= len(faults) * len(names)
    broken = [each for each in attempts if each["broken"]]
    assert not broken, broken[0]["broken"]
