"""MLflow, Optuna's storage and buckets, asked of small servers on loopback."""

import sqlite3
from pathlib import Path

import pytest
from ray_head import free_port
from small_http import SmallBucket, SmallMlflow, serve_http
from swift_server import SwiftServer

from orchestration.doctor.finding import Level
from orchestration.doctor.mlflow_server import check_mlflow, judge_schema, judge_version
from orchestration.doctor.object_stores import check_stores, probe
from orchestration.doctor.study_storage import check_study_storage
from orchestration.searcher.storage import open_storage
from orchestration.settings import Settings, read_settings
from orchestration.tracking import OutageError
from orchestration.tracking.probing import DEFAULT_LOGIN, schema

G, W, B = Level.GOOD, Level.WARNING, Level.BAD
SECRET = "canary-3b1f"


def _settings(tmp_path: Path, **more: str) -> Settings:
    return read_settings({"DRMN_HOME": str(tmp_path), **more})


@pytest.mark.parametrize(
    ("version", "logins", "levels"),
    [
        ("99.0.0", {"me": SECRET}, [G, G]),
        ("2.1.0", {"me": SECRET}, [W, G]),
        ("99.0.0", {"me": "other"}, [G, B]),
        ("99.0.0", {"me": SECRET, DEFAULT_LOGIN[0]: DEFAULT_LOGIN[1]}, [G, G, B]),
        ("99.0.0", {}, [G, G, W]),
        ("<html>", {"me": SECRET}, [W, G]),
    ],
)
def test_mlflow_is_asked_for_version_login_and_strangers(
    version: str,
    logins: dict[str, str],
    levels: list[Level],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    with serve_http(SmallMlflow(version=version, logins=logins)) as uri:
        found = check_mlflow(_settings(tmp_path, MLFLOW_TRACKING_URI=uri))
    assert [each.level for each in found] == levels
    assert SECRET not in str(found)


def test_an_mlflow_that_is_away_is_an_outage(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(OutageError, match="does not answer"):
        check_mlflow(_settings(tmp_path, MLFLOW_TRACKING_URI=away))


def test_an_older_server_and_no_server_are_told() -> None:
    assert judge_version("u", "3.16.0", "3.17.2").level is W
    assert judge_version("u", "3.17.0", "3.17.2").level is G


def test_a_database_is_migrated_empty_or_of_another_mlflow(tmp_path: Path) -> None:
    (found,) = check_mlflow(_settings(tmp_path))
    assert (found.level, "first sweep" in found.text) == (G, True)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.execute("INSERT INTO alembic_version VALUES ('0123456789ab')")
    (found,) = check_mlflow(_settings(tmp_path))
    assert (found.level, "mlflow db upgrade" in found.remedy) == (B, True)
    have, wanted = schema(uri, 1.0)
    assert have == "0123456789ab"
    assert judge_schema(uri, wanted, wanted).level is G
    assert judge_schema("postgresql://me:secret@h/x", None, wanted).text.count("secret") == 0


def test_a_study_storage_is_of_this_optuna_or_not(tmp_path: Path) -> None:
    assert [f.level for f in check_study_storage(_settings(tmp_path))] == [G]
    url = f"sqlite:///{tmp_path}/study.db"
    open_storage(url, tmp_path / "unused")
    assert [f.level for f in check_study_storage(_settings(tmp_path, DRMN_STUDY_STORAGE=url))] == [
        G
    ]
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'v0.9.0.a'")
    (found,) = check_study_storage(_settings(tmp_path, DRMN_STUDY_STORAGE=url))
    assert (found.level, "optuna storage upgrade" in found.remedy) == (B, True)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def _place(url: str) -> str:
    return f"s3://bucket/x?scheme=http&endpoint_override={url.removeprefix('http://')}"


@pytest.mark.usefixtures("credentials")
def test_a_bucket_is_written_read_and_left_as_it_was(tmp_path: Path) -> None:
    bucket = SmallBucket()
    with serve_http(bucket) as url:
        found = check_stores(_settings(tmp_path, DRMN_SWEEP_STORAGE=_place(url)))
    assert [each.level for each in found] == [G, G]
    assert "env" in found[0].text
    assert bucket.objects == {}
    assert SECRET not in str(found)


@pytest.mark.usefixtures("credentials")
def test_a_bucket_that_refuses_keeps_or_is_away_is_told() -> None:
    for bucket, level in ((SmallBucket(refuses=True), B), (SmallBucket(keeps=True), W)):
        with serve_http(bucket) as url:
            found = probe(_place(url))
        assert found.level is level
        assert found.remedy
    assert probe(_place(f"http://127.0.0.1:{free_port()}")).level is B


def test_no_bucket_is_good_and_absent_credentials_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [each.level for each in check_stores(_settings(tmp_path))] == [G]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    place = _place(f"http://127.0.0.1:{free_port()}")
    found = check_stores(_settings(tmp_path, DRMN_RESULT_STORE=place))
    assert [each.level for each in found] == [W, B]


@pytest.mark.slow
def test_a_real_store_passes(s3_uri: str, object_store: SwiftServer) -> None:
    assert probe(s3_uri).level is G
    assert probe(s3_uri.replace("s3://drmn/", "s3://nobody-has-this/")).level is B
    assert object_store.endpoint
