"""One cluster for all tests of this folder."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_sweep import FIRST_EPOCHS, TWO_AT_ONCE
from recovery_table import RecoveryTable
from rig import Rig, running_rig, why_no_rig
from stand_in import STANDS_IN


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    if reason := why_no_rig():
        pytest.skip(f"{reason}; {STANDS_IN}")
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with running_rig() as rig:
            yield rig
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def table() -> RecoveryTable:
    """Written where DRMN_RECOVERY_TABLE says, if it is set: the cases that ended well."""
    return RecoveryTable()


@pytest.fixture(scope="session")
def undisturbed(rig: Rig, table: RecoveryTable) -> dict[str, Any]:
    """What a sweep finds that nothing befalls."""
    rig.heal()
    sweep = rig.sweep("undisturbed")
    sweep.submit(*TWO_AT_ONCE)
    sweep.await_epochs(FIRST_EPOCHS)
    started = time.monotonic()
    sweep.await_end()
    table.undisturbed_s = time.monotonic() - started
    sweep.check_books()
    return sweep.result()


def _end(*_: object) -> None:
    """A runner that stops the tests leaves no host behind either."""
    pytest.exit("SIGTERM", returncode=143)
