"""What MLflow's client lets through becomes one line."""

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from orchestration.tracking import OutageError, mlflow_errors

_FULL = OperationalError("INSERT INTO runs (run_uuid) VALUES (?)", {}, Exception("disk is full"))


@pytest.mark.parametrize("error", [_FULL, MlflowException(str(_FULL))])
def test_an_outage_is_told_without_the_statement_that_met_it(error: Exception) -> None:
    with pytest.raises(OutageError, match="disk is full") as told, mlflow_errors():
        raise error
    assert "INSERT" not in told.value.message
    assert "\n" not in told.value.message
