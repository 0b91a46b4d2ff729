"""Where things run and are kept: the only reader of environment variables.

Every variable has an embedded default, so that nothing needs to be set on a laptop; a real
deployment sets them and no code path differs beyond this object.
"""

import math
import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

from drmn.errors import ConfigError
from drmn.places import ATTEMPTS
from drmn.reading import file_name

HOME = "DRMN_HOME"
DATA_ROOT = "DRMN_DATA_ROOT"
SWEEP_STORAGE = "DRMN_SWEEP_STORAGE"
ARTIFACT_ROOT = "DRMN_ARTIFACT_ROOT"
STUDY_STORAGE = "DRMN_STUDY_STORAGE"
TRACKING_URI = "MLFLOW_TRACKING_URI"
TRACKING_USERNAME = "MLFLOW_TRACKING_USERNAME"
TRACKING_PASSWORD = "MLFLOW_TRACKING_PASSWORD"
TRACKING_WAIT = "DRMN_TRACKING_WAIT_S"
RAY_ADDRESS = "RAY_ADDRESS"
ALLOW_OPEN_RAY = "DRMN_ALLOW_OPEN_RAY"
RESULT_STORE = "DRMN_RESULT_STORE"
STORE_ENCRYPTION = "DRMN_STORE_ENCRYPTION"
CA_BUNDLE = "AWS_CA_BUNDLE"
MAX_ATTEMPTS = "AWS_MAX_ATTEMPTS"
RAY_AUTH_MODE = "RAY_AUTH_MODE"
RAY_TLS = "RAY_USE_TLS"
RAY_TLS_KEY = "RAY_TLS_SERVER_KEY"
RAY_TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"
AWS_CREDENTIALS = "AWS_SHARED_CREDENTIALS_FILE"
PASSWORD_FILE = "PGPASSFILE"
STORE_WAIT = "DRMN_STORE_WAIT_S"
WORKER_WAIT = "DRMN_WORKER_WAIT_S"
PRETEND_GPUS = "DRMN_PRETEND_GPUS"
_PASSWORDS = ("PGPASSWORD", "AWS_SECRET_ACCESS_KEY", TRACKING_PASSWORD)
OWN_RAY = (None, "", "local")
"""Addresses for which a command starts a Ray of its own."""
_MAX_NAME_BYTES = 200
_CA_OPTION = "tls_ca_file_path"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The places of one installation."""

    home: Path
    """Folder of everything kept locally: sweeps, feature stores, the demo set."""
    data_root: Path
    """Folder that holds one folder per data set, in the xlsa17 layout."""
    tracking_uri: str
    """MLflow: SQLite in ``home`` or a server."""
    tracking_wait_s: float
    """How long a command waits at its end for MLflow to take everything; the rest is kept."""
    artifact_root: str | None
    """Where a new MLflow experiment keeps artifacts; None: the server decides."""
    sweep_storage: str
    """Tune's storage: a folder that all nodes see, or an s3:// URI."""
    study_storage: str | None
    """SQLAlchemy URL of the Optuna storage; None: a journal file beside the sweep."""
    ray_address: str | None
    """An existing Ray cluster; None: a local one is started."""
    allow_open_ray: bool = False
    """Whether a Ray that asks for no token is put up with: ``ALLOW_OPEN_RAY`` and an option."""
    result_store: str | None = None
    """s3:// address where finished sweeps are published; None: nowhere."""
    store_encryption: str = ""
    """Of what is published: ``AES256``, ``aws:kms`` or ``aws:kms/KEY``; "": the bucket's rule."""
    store_attempts: int = ATTEMPTS
    """How often a request to an object store is made that is throttled or cut."""
    store_wait_s: float = 600.0
    """How long a trial waits for an object store that does not answer, before it fails."""
    worker_wait_s: float | None = None
    """How long to wait for a node that a trial fits on; None: only for an autoscaler."""
    pretend_gpus: bool = False
    """Trials that reserve GPUs compute on CPUs: to rehearse a cluster where there are none."""

    @property
    def node_wait_s(self) -> float | None:
        """``worker_wait_s`` of ``ray_address``: to a Ray of our own no node ever comes."""
        return 0.0 if self.ray_address in OWN_RAY else self.worker_wait_s

    @property
    def sprites_root(self) -> Path:
        """Data root of the rendered demo set."""
        return self.home / "data"

    @property
    def cache_root(self) -> Path:
        """Feature stores live below."""
        return self.home / "cache"

    def sweep_folder(self, sweep: str) -> Path:
        """The driver's own files of one sweep.

        Raises:
            ConfigError: its name leads elsewhere.
        """
        return self.home / "sweeps" / _name("sweep", sweep)

    def study_folder(self, study: str) -> Path:
        """The files of one ablation study.

        Raises:
            ConfigError: its name leads elsewhere.
        """
        return self.home / "studies" / _name("study", study)


def _name(what: str, name: str) -> str:
    """``name``, if it names a folder right here."""
    try:
        file_name(name)
        if len(name.encode()) > _MAX_NAME_BYTES:
            raise ValueError("too long")
    except ValueError as error:
        raise ConfigError(
            f"the {what}'s name is {name[:_MAX_NAME_BYTES]!r}, but must be that of a folder: "
            f"without '/', '..' and with at most {_MAX_NAME_BYTES} bytes",
            "give its name, not a path",
        ) from error
    return name


def read_settings(
    environ: MutableMapping[str, str] = os.environ, *, allow_open_ray: bool = False
) -> Settings:
    """Settings from the environment, defaults relative to the working directory.

    A login in MLflow's address is moved to where MLflow also looks for it: MLflow prints addresses.

    Args:
        environ: the environment.
        allow_open_ray: what the command line says; it counts only with ``ALLOW_OPEN_RAY``.

    Raises:
        ConfigError: a variable has no valid value.
    """
    _move_login(environ)
    home = Path(environ.get(HOME, ".drmn")).resolve()
    tracking_uri = environ.get(TRACKING_URI, f"sqlite:///{home}/mlflow.db")
    embedded = tracking_uri.startswith("sqlite:")
    return Settings(
        home=home,
        data_root=Path(environ.get(DATA_ROOT, "data/xlsa17")).resolve(),
        tracking_uri=tracking_uri,
        tracking_wait_s=_seconds(TRACKING_WAIT, environ.get(TRACKING_WAIT, "60")),
        artifact_root=environ.get(ARTIFACT_ROOT, f"file://{home}/artifacts" if embedded else None),
        sweep_storage=place_of(environ.get(SWEEP_STORAGE, str(home / "ray")), environ),
        study_storage=environ.get(STUDY_STORAGE),
        ray_address=environ.get(RAY_ADDRESS),
        allow_open_ray=allow_open_ray and environ.get(ALLOW_OPEN_RAY) == "1",
        result_store=environ.get(RESULT_STORE),
        store_encryption=environ.get(STORE_ENCRYPTION, ""),
        store_attempts=_positive(MAX_ATTEMPTS, environ.get(MAX_ATTEMPTS, str(ATTEMPTS))),
        store_wait_s=_seconds(STORE_WAIT, environ.get(STORE_WAIT, "600")),
        worker_wait_s=_seconds(WORKER_WAIT, environ[WORKER_WAIT])
        if WORKER_WAIT in environ
        else None,
        pretend_gpus=environ.get(PRETEND_GPUS, "") not in ("", "0"),
    )


def _move_login(environ: MutableMapping[str, str]) -> None:
    parts = urlsplit(environ.get(TRACKING_URI, ""))
    if parts.scheme not in ("http", "https") or parts.username is None:
        return
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    environ[TRACKING_URI] = urlunsplit(address)
    environ[TRACKING_USERNAME] = unquote(parts.username)
    environ[TRACKING_PASSWORD] = unquote(parts.password or "")


def place_of(place: str, environ: Mapping[str, str] = os.environ) -> str:
    """A folder as an absolute path, as Tune wants it; a URI with what pyarrow does not look up."""
    if "://" not in place:
        return str(Path(place).resolve())
    bundle = environ.get(CA_BUNDLE)
    if not bundle or not place.startswith("s3://") or _CA_OPTION in place:
        return place
    return f"{place}{'&' if '?' in place else '?'}{_CA_OPTION}={quote(bundle)}"


def _positive(name: str, value: str) -> int:
    if not value.isdecimal() or int(value) < 1:
        raise ConfigError(f"{name} is {value!r}, but must be a whole number >= 1")
    return int(value)


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise ConfigError(f"the value of {name} is {text!r}, but must be a number of seconds >= 0")
    return value


def secret_files(environ: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Files with secrets that the environment names, or that are looked for where it does not."""
    user = Path(environ.get("HOME", "/"))
    places = {
        "Ray's token": environ.get(RAY_TOKEN_PATH, str(user / ".ray" / "auth_token")),
        "AWS credentials": environ.get(AWS_CREDENTIALS, str(user / ".aws" / "credentials")),
        "MLflow's password": str(user / ".mlflow" / "credentials"),
        "PostgreSQL's password": environ.get(PASSWORD_FILE, str(user / ".pgpass")),
        "Ray's TLS key": environ.get(RAY_TLS_KEY, ""),
        "compose.yaml's secrets": str(Path("infra", ".env").absolute()),
    }
    return {what: Path(place) for what, place in places.items()}


def passwords(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the environment holds of passwords, by variable. To be judged, never to be shown."""
    given = {name: environ.get(name, "") for name in _PASSWORDS}
    given[STUDY_STORAGE] = _password_of(environ.get(STUDY_STORAGE, ""))
    given[TRACKING_URI] = _password_of(environ.get(TRACKING_URI, ""))
    return {name: password for name, password in given.items() if password}


def _password_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:  # its text may hold the password
        return ""
    return unquote(parts.password or "") or parse_qs(parts.query).get("password", [""])[0]


def asks_for_token(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether Ray's clients here send a token."""
    return environ.get(RAY_AUTH_MODE) == "token"


def uses_tls(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether Ray's clients here show a certificate, and ask for one."""
    return environ.get(RAY_TLS, "0").lower() in ("1", "true")  # as Ray reads it
