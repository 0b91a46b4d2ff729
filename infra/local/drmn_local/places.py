"""Every path of a stack, and its secrets: generated once, readable by their owner alone."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

USER = "drmn"


def write_private(path: Path, text: str) -> None:
    """Write a file that was never readable by others, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Of one stack."""

    database: str
    mlflow: str
    mlflow_session: str
    store: str

    @classmethod
    def new(cls) -> "Secrets":
        return cls(**{name: secrets.token_urlsafe(24) for name in cls.__annotations__})


@dataclass(frozen=True)
class Places:
    """The files of one stack, below ``root``."""

    root: Path

    def make(self) -> None:
        """The folders, closed to others."""
        for folder in (self.root, self.logs, self.processes):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def processes(self) -> Path:
        return self.root / "processes"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def environment(self) -> Path:
        """What to source; holds a password."""
        return self.root / "env"

    @property
    def password_file(self) -> Path:
        """libpq's."""
        return self.root / "pgpass"

    @property
    def aws_credentials(self) -> Path:
        return self.root / "aws-credentials"

    @property
    def mlflow_auth(self) -> Path:
        return self.root / "mlflow-auth.ini"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def secrets(self) -> Secrets:
        """Those of this stack, made when first asked for."""
        path = self.root / "secrets.json"
        if not path.exists():
            write_private(path, json.dumps(asdict(Secrets.new())))
        return Secrets(**json.loads(path.read_text()))

    def ports(self) -> dict[str, int]:
        """Of each server, as it was last started."""
        path = self.root / "ports.json"
        found: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def keep_ports(self, ports: dict[str, int]) -> None:
        write_private(self.root / "ports.json", json.dumps(ports))
