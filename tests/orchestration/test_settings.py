from pathlib import Path

import pytest

from drmn.errors import ConfigError
from drmn.places import ATTEMPTS, open_place
from orchestration.settings import (
    CA_BUNDLE,
    MAX_ATTEMPTS,
    SWEEP_STORAGE,
    TRACKING_PASSWORD,
    TRACKING_URI,
    TRACKING_USERNAME,
    read_settings,
)


def test_a_laptop_needs_no_variable() -> None:
    settings = read_settings({})
    assert settings.sweep_storage == str(Path(".drmn/ray").resolve())
    assert settings.store_attempts == ATTEMPTS


def test_a_store_s_certificates_travel_with_its_address() -> None:
    for uri in ("s3://b/x", "s3://b/x?region=us-east-1"):
        settings = read_settings({SWEEP_STORAGE: uri, CA_BUNDLE: "/etc/ca bundle.pem"})
        filesystem, path = open_place(f"{settings.sweep_storage}&endpoint_override=127.0.0.1:1")
        _, (_, options) = filesystem.__reduce__()
        assert path == "b/x"
        assert options["tls_ca_file_path"] == "/etc/ca bundle.pem"
    assert read_settings({SWEEP_STORAGE: "/shared", CA_BUNDLE: "/ca"}).sweep_storage == "/shared"


def test_a_login_in_mlflows_address_is_moved_to_its_variables() -> None:
    environ = {TRACKING_URI: "https://me:p%40ss@host:5000/mlflow"}
    assert read_settings(environ).tracking_uri == "https://host:5000/mlflow"
    assert environ == {
        TRACKING_URI: "https://host:5000/mlflow",
        TRACKING_USERNAME: "me",
        TRACKING_PASSWORD: "p@ss",
    }


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_attempts_are_counted_from_one(value: str) -> None:
    with pytest.raises(ConfigError, match=f"{MAX_ATTEMPTS} is '{value}', but must be"):
        read_settings({MAX_ATTEMPTS: value})


def test_how_long_a_store_is_waited_for_and_whether_gpus_are_pretended() -> None:
    default = read_settings({})
    assert (default.store_wait_s, default.pretend_gpus) == (600.0, False)
    given = read_settings({"DRMN_STORE_WAIT_S": "30", "DRMN_PRETEND_GPUS": "1"})
    assert (given.store_wait_s, given.pretend_gpus) == (30.0, True)
    with pytest.raises(ConfigError, match="DRMN_STORE_WAIT_S"):
        read_settings({"DRMN_STORE_WAIT_S": "soon"})
