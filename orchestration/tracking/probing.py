"""Questions to an MLflow that change nothing there: is it up, who gets in, is it migrated?"""

from dataclasses import dataclass

from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _get_latest_schema_revision, _get_schema_version
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import MlflowHostCreds, http_request
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from drmn.places import without_password
from orchestration.tracking.names import OutageError

DEFAULT_LOGIN = ("admin", "password1234")
"""What MLflow's basic auth begins with."""
_SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@dataclass(frozen=True, kw_only=True)
class Access:
    """HTTP statuses of one harmless request, by who asks."""

    ours: int
    strangers: int
    with_default_login: int


def server_version(uri: str, timeout_s: float) -> str:
    """Of the server at ``uri``; "" where it does not say.

    Raises:
        OutageError: nothing answers in time.
    """
    status, text = _get(get_default_host_creds(uri), "/version", timeout_s)
    return text.strip() if status == 200 else ""


def access(uri: str, timeout_s: float) -> Access:
    """Who gets in.

    Raises:
        OutageError: nothing answers in time.
    """
    ours = get_default_host_creds(uri)
    trust = {
        "ignore_tls_verification": ours.ignore_tls_verification,
        "server_cert_path": ours.server_cert_path,
    }
    user, password = DEFAULT_LOGIN
    default = MlflowHostCreds(uri, username=user, password=password, **trust)
    return Access(
        ours=_get(ours, _SEARCH, timeout_s)[0],
        strangers=_get(MlflowHostCreds(uri, **trust), _SEARCH, timeout_s)[0],
        with_default_login=_get(default, _SEARCH, timeout_s)[0],
    )


def schema(uri: str, timeout_s: float) -> tuple[str | None, str]:
    """Revision of the tables of a database (None: it has none) and that of this MLflow.

    Raises:
        OutageError: the database does not answer.
    """
    limit = {} if uri.startswith("sqlite") else {"connect_timeout": max(1, int(timeout_s))}
    engine = create_engine(uri, connect_args=limit)
    try:
        return _get_schema_version(engine), str(_get_latest_schema_revision())
    except SQLAlchemyError as error:
        raise OutageError(
            f"MLflow's database does not answer: {without_password(str(error))}",
            "check MLFLOW_TRACKING_URI, the database and its login",
        ) from error
    finally:
        engine.dispose()


def _get(creds: MlflowHostCreds, endpoint: str, timeout_s: float) -> tuple[int, str]:
    try:
        reply = http_request(
            creds, endpoint, "GET", max_retries=0, timeout=timeout_s, raise_on_status=False
        )
    except (MlflowException, OSError) as error:
        raise OutageError(
            f"MLflow does not answer: {without_password(str(error))}",
            "check MLFLOW_TRACKING_URI and the server's log",
        ) from error
    return reply.status_code, reply.text
