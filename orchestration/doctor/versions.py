"""Python and the libraries against what the project was tested with."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

from orchestration.doctor.finding import Finding, bad, good, warning
from orchestration.settings import Settings

PYTHON_LOWEST, PYTHON_TESTED = "3.11", "3.11"
RANGES = {
    "torch": ("2.8", "2.13.0"),
    "torchvision": ("0.23", "0.28.0"),
    "ray": ("2.52", "2.60.0"),
    "optuna": ("4.5", "5.0.0"),
    "mlflow": ("3.10", "3.17.2"),
    "pyarrow": ("18", "25.0.1"),
    "boto3": ("1.35", "1.44.5"),
}
"""The lowest version that is allowed and the one that was tested; a test holds both to the files
that decide."""
_PINNED = "pip install -c infra/constraints.txt 'drmn[orchestration]'"


def check_versions(_settings: Settings) -> list[Finding]:
    """Of this environment."""
    found = [judge("Python", platform.python_version(), PYTHON_LOWEST, PYTHON_TESTED)]
    return found + [judge(name, installed(name), *RANGES[name]) for name in RANGES]


def installed(name: str) -> str | None:
    """A package's version; None where it is absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def judge(name: str, found: str | None, lowest: str, tested: str) -> Finding:
    """Good up to the tested minor version; newer ones may be."""
    if found is None:
        return bad(f"{name} is not installed", _PINNED)
    if Version(found) < Version(lowest):
        return bad(f"{name} {found} is older than {lowest}", _PINNED)
    if Version(found).release[:2] > Version(tested).release[:2]:
        return warning(f"{name} {found} is newer than {tested}, which was tested", _PINNED)
    return good(f"{name} {found}")


def differing(versions: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Of versions by node and package: those packages of which nodes have different ones."""
    packages = sorted({package for each in versions.values() for package in each})
    by_package = {
        package: {node: each.get(package, "none") for node, each in versions.items()}
        for package in packages
    }
    return {package: nodes for package, nodes in by_package.items() if len(set(nodes.values())) > 1}
