"""Fixtures shared by all tiers, and run-time checks of the tensor shapes that annotations state."""

import os
import sys
import types
from pathlib import Path

import pytest
from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

_checker = types.ModuleType("drmn_type_checker")
_checker.check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # type: ignore[attr-defined]
sys.modules[_checker.__name__] = _checker
install_import_hook(["drmn"], "drmn_type_checker.check")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real data (xlsa17 layouts and weights), absent on most machines."""
    folder = Path(os.environ.get("DRMN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set DRMN_SHARED_DATA")
    return folder
