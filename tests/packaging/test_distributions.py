"""Wheel and sdist as a user gets them, and what works where the extra is not installed."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("drmn", "orchestration", "search_spaces")
WITHOUT_EXTRA = """
import importlib.abc, sys

class Refused(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refused())
sys.path.insert(0, {wheel!r})
"""
METHOD = """
import drmn
assert drmn.__file__.startswith({wheel!r}), drmn.__file__
assert "torch" not in sys.modules
from drmn import DRMN, Config, Trained, evaluate, load_dataset, preset, train
import drmn.data.checking, drmn.data.description, drmn.data.pixels.preparation
import drmn.deployed.prediction, search_spaces.registry
assert not set(sys.modules) & {blocked!r}
"""
COMMAND = "from orchestration.entry_points import {function}; {function}()"
BLOCKED = {
    "ray",
    "mlflow",
    "optuna",
    "boto3",
    "botocore",
    "typer",
    "click",
    "rich",
    "plotly",
    "yaml",
}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist, built from a copy: building writes into its source."""
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(
            REPOSITORY / package, source / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    built = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return built


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> Path:
    [found] = distributions.glob("*.whl")
    return found


def test_wheel_holds_every_module_and_the_marks_of_types(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        str(path.relative_to(REPOSITORY))
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*.py")
    }
    assert modules <= held
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    foreign = {name for name in held if name.partition("/")[0] not in PACKAGES}
    assert all(".dist-info/" in name for name in foreign)
    assert any(name.endswith("/LICENSE") for name in foreign)


def test_sdist_holds_the_licence_and_the_sources(distributions: Path) -> None:
    [archive] = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "drmn/losses.py"} <= held


def test_method_alone_requires_nothing_of_the_extra(wheel: Path) -> None:
    [name] = [n for n in zipfile.ZipFile(wheel).namelist() if n.endswith(".dist-info/METADATA")]
    metadata = Parser().parsestr(zipfile.ZipFile(wheel).read(name).decode())
    required = metadata.get_all("Requires-Dist")
    assert required is not None
    base = {line for line in required if "extra ==" not in line}
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert len(base) == len(project["dependencies"])
    for word in ("ray", "mlflow", "optuna", "boto3", "typer", "rich", "plotly"):
        assert not any(line.startswith(word) for line in base)
        assert any(line.startswith(word) and "orchestration" in line for line in required)
    assert {"orchestration", "docs", "dev"} <= set(metadata.get_all("Provides-Extra") or ())


def test_files_that_deploy_ask_for_extras_that_are_there() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    files = [path for path in (REPOSITORY / "infra").rglob("*") if path.is_file()]
    texts = [path.read_text(errors="ignore") for path in [*files, REPOSITORY / "Makefile"]]
    named = re.findall(r"'\.\[([\w,-]+)\]'", "\n".join(texts))
    asked = {extra for group in named for extra in group.split(",")}
    assert "dev" in asked
    assert asked <= set(project["optional-dependencies"])


def _without_extra(wheel: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    text = (WITHOUT_EXTRA + code).format(blocked=BLOCKED, wheel=str(wheel))
    return subprocess.run(
        [sys.executable, "-I", "-c", text],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_method_works_where_the_extra_is_not_installed(wheel: Path, tmp_path: Path) -> None:
    done = _without_extra(wheel, METHOD, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("function", ["drmn", "drmn_sweep"])
def test_commands_say_which_extra_they_need(wheel: Path, tmp_path: Path, function: str) -> None:
    done = _without_extra(wheel, COMMAND.replace("{function}", function), tmp_path)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "pip install 'drmn[orchestration]'" in line


def test_sweep_class_says_which_extra_it_needs(wheel: Path, tmp_path: Path) -> None:
    done = _without_extra(wheel, "from orchestration import Sweep", tmp_path)
    assert "ModuleNotFoundError" in done.stderr
    assert "pip install 'drmn[orchestration]'" in done.stderr
