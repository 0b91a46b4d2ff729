"""MLflow: reachable, of our version, closed to strangers, its database migrated."""

from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version

from drmn.places import without_password
from orchestration.doctor.finding import Finding, bad, good, warning
from orchestration.exposure import is_loopback
from orchestration.settings import TRACKING_URI, Settings

ANSWER_S = 4.0
_LOGIN = "check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
_AUTH = (
    "start it with --app-name basic-auth, MLFLOW_AUTH_ADMIN_PASSWORD and "
    "MLFLOW_FLASK_SERVER_SECRET_KEY set"
)


def check_mlflow(settings: Settings) -> list[Finding]:
    """Of the server, or the database, at ``MLFLOW_TRACKING_URI``."""
    uri = settings.tracking_uri
    return _server(uri) if uri.startswith("http") else _database(uri)


def _server(uri: str) -> list[Finding]:
    from orchestration.tracking.probing import access, server_version

    found = [judge_version(uri, server_version(uri, ANSWER_S), version("mlflow"))]
    asked = access(uri, ANSWER_S)
    if asked.ours == 200:
        found.append(good("it lets us in"))
    elif asked.ours in (401, 403):
        found.append(bad(f"it does not let us in ({asked.ours})", _LOGIN))
    else:
        found.append(bad(f"it answers a search with {asked.ours}", "see its log"))
    if asked.strangers == 200:
        remote = not is_loopback(f"http://{urlsplit(uri).netloc}")
        say = bad if remote else warning
        found.append(say("it lets everybody in, without a login", _AUTH))
    elif asked.with_default_login == 200:
        found.append(
            bad("MLflow's default password still opens it", "change it, then start it again")
        )
    return found


def judge_version(uri: str, theirs: str, ours: str) -> Finding:
    """A server may be newer than its clients, not older."""
    try:
        older = Version(theirs).release[:2] < Version(ours).release[:2]
    except InvalidVersion:
        return warning(f"{uri} answers, but does not say its version", "see that it is an MLflow")
    if older:
        return warning(
            f"{uri} is MLflow {theirs}, older than this client's {ours}",
            f"update the server to {ours}: `mlflow db upgrade`, then start it again",
        )
    return good(f"{uri} is MLflow {theirs}")


def _database(uri: str) -> list[Finding]:
    from orchestration.tracking.probing import schema

    path = uri.removeprefix("sqlite:///")
    if path != uri and not Path(path).exists():
        return [good(f"SQLite in {path}, made by the first sweep")]
    return [judge_schema(uri, *schema(uri, ANSWER_S))]


def judge_schema(uri: str, found: str | None, wanted: str) -> Finding:
    """Are the tables those of this MLflow?"""
    shown = without_password(uri)
    if found in (wanted, None):
        state = "empty, filled by the first sweep" if found is None else "migrated"
        return good(f"{shown}: {state}")
    return bad(
        f"the tables of {shown} are of another MLflow ({found}, this one has {wanted})",
        f'keep a copy, then run `mlflow db upgrade "${TRACKING_URI}"`, or install that MLflow',
    )
