import pickle

import pytest
from pyarrow import fs

from drmn.errors import DataError, StoreError
from drmn.places import RetryingS3, below, open_place, shown, store_error, without_password

S3 = "s3://bucket/a/b?scheme=http&region=us-east-1&endpoint_override=127.0.0.1:1"


def test_a_path_below_an_address_leaves_the_options_at_the_end() -> None:
    assert below(S3, "c/d") == S3.replace("a/b", "a/b/c/d")
    assert below("/folder/", "c") == "/folder/c"


def test_an_object_store_keeps_its_attempts_and_options_in_another_process() -> None:
    system, path = open_place(S3, attempts=5)
    assert path == "bucket/a/b"
    copy = pickle.loads(pickle.dumps(system))  # noqa: S301
    assert isinstance(copy, RetryingS3)
    assert copy.__reduce__() == system.__reduce__()
    _, (attempts, options) = copy.__reduce__()
    assert attempts == 5
    assert options["endpoint_override"] == "127.0.0.1:1"


def test_no_credential_is_pickled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    system, _ = open_place(S3)
    assert b"canary" not in pickle.dumps(system)


def test_an_address_with_credentials_is_refused_without_being_repeated() -> None:
    with pytest.raises(StoreError, match="s3://bucket/x was given with credentials") as caught:
        open_place("s3://key:canary@bucket/x?region=r")
    assert "canary" not in str(caught.value)
    assert shown("s3://key:canary@bucket/x?region=r") == "s3://bucket/x"


def test_passwords_are_hidden_wherever_a_uri_stands() -> None:
    text = "no answer from http://me:canary@host:5000/x, postgresql://you:canary@db/drmn"
    hidden = "no answer from http://me:***@host:5000/x, postgresql://you:***@db/drmn"
    assert without_password(text) == hidden
    assert without_password("http://host:5000/a:b@c") == "http://host:5000/a:b@c"


def test_folders_are_places_too() -> None:
    system, path = open_place("/some/folder/")
    assert isinstance(system, fs.LocalFileSystem)
    assert path == "/some/folder"


@pytest.mark.parametrize(
    ("report", "what"),
    [
        ("AWS Error ACCESS_DENIED during UploadPart operation", "access is denied"),
        ("An error occurred (SignatureDoesNotMatch) when calling", "access is denied"),
        ("AWS Error SLOW_DOWN during UploadPart operation", "the store throttles"),
        ("(SlowDown) when calling PutObject (reached max retries: 3)", "the store throttles"),
        ("AWS Error UNKNOWN (HTTP status 507) during UploadPart", "the store is full"),
        ("[Errno 28] No space left on device", "the store is full"),
        ("AWS Error NO_SUCH_BUCKET during CreateMultipartUpload", "has no bucket of this name"),
        ("AWS Error NETWORK_CONNECTION: curlCode: 52", "the connection was cut"),
        ("Unable to locate credentials", "no credentials were found"),
        ("something else", "x cannot be written: something else"),
    ],
)
def test_an_error_says_what_the_store_did_and_how_to_mend_it(report: str, what: str) -> None:
    error = store_error("x cannot be written", OSError(report))
    assert isinstance(error, DataError)
    assert what in error.message
    assert report in error.message
    assert error.remedy
