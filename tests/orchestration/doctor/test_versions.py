import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from orchestration.doctor.finding import Level
from orchestration.doctor.versions import (
    PYTHON_LOWEST,
    RANGES,
    check_versions,
    differing,
    installed,
    judge,
)
from orchestration.settings import read_settings

REPOSITORY = Path(__file__).resolve().parents[3]


def test_the_ranges_are_those_that_decide() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [Requirement(text) for each in lists for text in each]
    lowest = {each.name: re.sub(r"^>=", "", str(each.specifier)) for each in wanted}
    pins = (REPOSITORY / "infra" / "constraints.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in pins if "==" in line)
    assert {name: (lowest[name], tested[name]) for name in RANGES} == RANGES
    assert project["requires-python"] == f">={PYTHON_LOWEST}"


@pytest.mark.parametrize(
    ("found", "level"),
    [
        ("2.60.4", Level.GOOD),
        ("2.55.0", Level.GOOD),
        ("2.61.0", Level.WARNING),
        ("3.0", Level.WARNING),
        ("2.9", Level.BAD),
        (None, Level.BAD),
    ],
)
def test_a_version_is_judged_by_lowest_and_tested(found: str | None, level: Level) -> None:
    assert judge("ray", found, "2.52", "2.60.0").level is level


def test_this_environment_has_all_of_them() -> None:
    assert Level.BAD not in {each.level for each in check_versions(read_settings({}))}
    assert installed("no-such-package-anywhere") is None


def test_what_differs_between_nodes_is_found() -> None:
    nodes = {"a": {"ray": "2.60.0", "torch": "2.13"}, "b": {"ray": "2.60.0"}}
    assert differing(nodes) == {"torch": {"a": "2.13", "b": "none"}}
    assert differing({"a": nodes["a"]}) == {}
