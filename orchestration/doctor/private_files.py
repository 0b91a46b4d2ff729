"""Secrets that others can read on this machine, or know from a manual."""

import stat
from collections.abc import Mapping
from pathlib import Path

from orchestration.doctor.finding import Finding, bad, good
from orchestration.settings import Settings, passwords, secret_files

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_WELL_KNOWN = (
    *("admin", "changeme", "drmn", "minio", "minio123", "minioadmin", "mlflow", "optuna"),
    *("password", "password1234", "postgres", "root", "secret", "test", "123456"),
)
"""Of PostgreSQL's, MinIO's and MLflow's images and manuals, of this project, and of everywhere."""
_LOCAL_STACK = ("env", "pgpass", "aws-credentials", "mlflow-auth.ini", "secrets.json")


def check_private_files(settings: Settings) -> list[Finding]:
    """Ray's token and key, logins, the stacks' secrets, DRMN_HOME itself, and known passwords."""
    stack = settings.home / "local"
    known = {f"the local stack's {name}": stack / name for name in _LOCAL_STACK}
    found = judge_files({**secret_files(), **known}) + judge_folder(settings.home)
    return found + judge_passwords(passwords())


def judge_passwords(given: Mapping[str, str]) -> list[Finding]:
    """Whoever finds the server tries those of manuals and examples first."""
    return [
        bad(
            f"the password in {name} is one that everybody knows",
            "change it on the server, and here",
        )
        for name, password in given.items()
        if password.lower() in _WELL_KNOWN
    ]


def judge_files(files: Mapping[str, Path]) -> list[Finding]:
    """Each that is there must be its owner's alone."""
    there = {what: path for what, path in files.items() if path.is_file()}
    found = [
        bad(
            f"{what} in {path} can be read by others (mode {path.stat().st_mode & 0o777:04o})",
            f"chmod 600 {path}",
        )
        for what, path in there.items()
        if path.stat().st_mode & _OTHERS
    ]
    return found or [good(f"{len(there)} files with secrets, none readable by others")]


def judge_folder(home: Path) -> list[Finding]:
    """What is in it is loaded by programs: nobody else may write there."""
    if not home.is_dir() or not home.stat().st_mode & stat.S_IWOTH:
        return []
    return [bad(f"{home} can be written by everybody", f"chmod o-w {home}")]
