"""What the last mutation run found, and that its configuration still names files that exist."""

import json
import tomllib
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "benchmarks" / "results" / "faults" / "mutation.json"
KINDS = {"equivalent", "cosmetic", "slow", "open"}


def _found() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text())
    return found


def test_at_least_85_per_cent_were_noticed_and_every_other_has_a_reason() -> None:
    found = _found()
    lived = [each for module in found["modules"] for each in module["survivors"]]
    assert found["killed"] + len(lived) == found["mutants"]
    assert found["killed"] / found["mutants"] >= 0.85
    assert {each["kind"] for each in lived} <= KINDS
    assert all(each["reason"] for each in lived)


def test_the_modules_that_were_mutated_are_those_of_the_configuration() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["mutmut"]
    wanted = {
        str(path.relative_to(REPOSITORY))
        for pattern in settings["only_mutate"]
        for path in REPOSITORY.glob(pattern)
        if path.name != "__init__.py"
    }
    assert {module["module"] for module in _found()["modules"]} == wanted
    for tests in settings["pytest_add_cli_args_test_selection"]:
        assert (REPOSITORY / tests).exists(), tests


def test_reasons_are_of_a_known_kind() -> None:
    reasons = yaml.safe_load((REPOSITORY / "benchmarks" / "mutation_reasons.yaml").read_text())
    assert {each["kind"] for each in reasons} == KINDS
    assert all(set(each) == {"kind", "where", "reason"} for each in reasons)
