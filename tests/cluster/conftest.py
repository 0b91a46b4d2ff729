"""One cluster for all tests of this folder."""

import signal
from collections.abc import Iterator

import pytest
from rig import Rig, running_rig, why_no_rig


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    if reason := why_no_rig():
        pytest.skip(reason)
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with running_rig() as rig:
            yield rig
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(*_: object) -> None:
    """A runner that stops the tests leaves no host behind either."""
    pytest.exit("SIGTERM", returncode=143)
