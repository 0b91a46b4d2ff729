from pathlib import Path

import pytest

from orchestration.doctor.data_root import check_data_root
from orchestration.doctor.finding import Level
from orchestration.doctor.private_files import check_private_files, judge_files, judge_folder
from orchestration.settings import read_settings

PASSWORDS = (
    "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "DRMN_STUDY_STORAGE",
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_secrets_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    files = ("RAY_AUTH_TOKEN_PATH", "AWS_SHARED_CREDENTIALS_FILE", "PGPASSFILE")
    for name in (*files, "RAY_TLS_SERVER_KEY", *PASSWORDS):
        monkeypatch.delenv(name, raising=False)


def test_a_token_that_others_can_read_is_told(tmp_path: Path) -> None:
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("canary-77")
    settings = read_settings({"DRMN_HOME": str(tmp_path / "home")})
    token.chmod(0o644)
    (found,) = check_private_files(settings)
    assert (found.level, found.remedy) == (Level.BAD, f"chmod 600 {token}")
    assert "canary" not in found.text
    token.chmod(0o600)
    assert [each.level for each in check_private_files(settings)] == [Level.GOOD]


def test_the_local_stack_s_files_are_looked_at(tmp_path: Path) -> None:
    stack = tmp_path / "home" / "local"
    stack.mkdir(parents=True)
    for name in ("pgpass", "secrets.json"):
        (stack / name).touch(mode=0o640)
    found = check_private_files(read_settings({"DRMN_HOME": str(tmp_path / "home")}))
    assert [each.level for each in found] == [Level.BAD, Level.BAD]
    assert judge_files({})[0].level is Level.GOOD


def test_the_key_of_tls_and_compose_s_secrets_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, compose = tmp_path / "key.pem", tmp_path / "infra" / ".env"
    compose.parent.mkdir()
    monkeypatch.setenv("RAY_TLS_SERVER_KEY", str(key))
    for path in (key, compose):
        path.touch(mode=0o644)
    found = check_private_files(read_settings({"DRMN_HOME": str(tmp_path / "home")}))
    assert [each.remedy for each in found] == [f"chmod 600 {key}", f"chmod 600 {compose}"]


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("DRMN_STUDY_STORAGE", "postgresql+psycopg://postgres:postgres@db/optuna", Level.BAD),
        ("DRMN_STUDY_STORAGE", "postgresql+psycopg://db/optuna?user=x&password=drmn", Level.BAD),
        ("DRMN_STUDY_STORAGE", "postgresql+psycopg://me:9f2c71d0@db/optuna", Level.GOOD),
        ("DRMN_STUDY_STORAGE", "postgresql+psycopg://postgres@db/optuna", Level.GOOD),
        ("AWS_SECRET_ACCESS_KEY", "minioadmin", Level.BAD),
        ("PGPASSWORD", "Password", Level.BAD),
        ("PGPASSWORD", "9f2c71d0", Level.GOOD),
    ],
)
def test_a_password_that_everybody_knows_is_told_and_not_shown(
    name: str, value: str, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    found = check_private_files(read_settings({"DRMN_HOME": str(tmp_path / "home")}))
    assert found[-1].level is level
    assert value not in str(found)
    assert (name in found[-1].text) == (level is Level.BAD)


def test_a_home_that_everybody_can_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert judge_folder(tmp_path)[0].level is Level.BAD
    tmp_path.chmod(0o755)
    assert judge_folder(tmp_path) == []


def test_a_data_root_is_absent_empty_or_has_data_sets(tmp_path: Path) -> None:
    settings = read_settings({"DRMN_DATA_ROOT": str(tmp_path / "data")})
    assert "no data root" in check_data_root(settings)[0].text
    (tmp_path / "data" / "CIFAR_AWA2").mkdir(parents=True)
    assert "is a data set" in check_data_root(settings)[0].text
    for name in ("att_splits.mat", "res101.mat"):
        (tmp_path / "data" / "CIFAR_AWA2" / name).touch()
    (found,) = check_data_root(settings)
    assert (found.level, "cifar-awa2" in found.text) == (Level.GOOD, True)
