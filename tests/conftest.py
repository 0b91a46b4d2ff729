"""Fixtures shared by all tiers, and run-time checks of the tensor shapes that annotations state."""

import os
import shutil
import signal
import sys
import types
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from beartype import BeartypeConf, beartype
from drmn_local.postgres import postgres_binaries
from jaxtyping import install_import_hook
from playwright.sync_api import Browser, sync_playwright
from postgres_server import serve_postgres
from swift_server import SwiftServer, serve_swift

_checker = types.ModuleType("drmn_type_checker")
_checker.check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # type: ignore[attr-defined]
sys.modules[_checker.__name__] = _checker
install_import_hook(["drmn"], "drmn_type_checker.check")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the longest limits come first, so that none is left alone to the end."""
    limits: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        limits[item.path] = max(limits.get(item.path, 0.0), mark.args[0] if mark else 0.0)
    items.sort(key=lambda item: -limits[item.path])


@pytest.fixture
def hang_up_heard() -> Iterator[None]:
    """SIGHUP has its ordinary meaning, also where the tests run below `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real data (xlsa17 layouts and weights), absent on most machines."""
    folder = Path(os.environ.get("DRMN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set DRMN_SHARED_DATA")
    return folder


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftServer]:
    """A real S3 server on this machine, for all tests that need one."""
    with serve_swift(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture
def s3_uri(object_store: SwiftServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of the test's own in the server's bucket; the credentials are in the environment."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return object_store.uri(uuid.uuid4().hex)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL on this machine."""
    binaries = postgres_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL here: install Debian's postgresql, or put initdb into PATH")
    with serve_postgres(binaries) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """An installed Chromium without a window; while it is there, asyncio cannot be used."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here")
    with sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic"],
            timeout=60_000,
        )
        yield started
        started.close()


@pytest.fixture(scope="session")
def kept_files() -> Path:
    """Where a test leaves what a person may want to look at; CI keeps it."""
    folder = Path(os.environ.get("DRMN_TEST_ARTIFACTS", REPOSITORY / ".artifacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
