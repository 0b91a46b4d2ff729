"""The rehearsal of a published data set, cut short: every step ends well."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "rehearsal.py"


def test_a_few_pictures_of_each_class_go_all_the_way(shared_data: Path, tmp_path: Path) -> None:
    arguments = ["--datasets", "awa2", "--images", "2", "--data-root", str(shared_data / "xlsa17")]
    arguments += ["--steps", "check", "prepare", "features"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=140,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line.split()[1] for line in done.stdout.splitlines()]
    assert steps == ["check", "prepare", "features"]
