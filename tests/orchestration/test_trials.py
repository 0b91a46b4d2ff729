"""What a full disk does to a driver reaches its user as itself."""

import errno
import os

import pytest
from ray.tune import TuneError

from drmn.errors import DataError
from orchestration.trials import own_errors


def _as_tune_does(error: Exception) -> None:
    """Of an error in a callback or a searcher."""
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - as Tune's controller does
        raise TuneError(f"Traceback ... {caught}")  # noqa: B904


@pytest.mark.parametrize(
    "error", [DataError("damaged"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))]
)
def test_an_error_of_the_drivers_books_is_not_hidden_in_a_traceback(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, own_errors():
        _as_tune_does(error)
    assert caught.value is error


def test_a_bug_stays_one() -> None:
    with pytest.raises(TuneError), own_errors():
        _as_tune_does(KeyError("x"))
