"""Tags: a command without its secrets, a machine by its names."""

import sys

import pytest

from orchestration.provenance.tags import command_line, machine_tags, without_secrets
from orchestration.tracking import Tag


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://drmn:canary@db:5432/mlflow", "postgresql://***@db:5432/mlflow"),
        ("s3://key:can/ary@bucket/x", "s3://***@bucket/x"),
        ("--features=s3://key:canary@bucket", "--features=s3://***@bucket"),
        ("s3://b/x?secret_key=canary&region=a", "s3://b/x?secret_key=***&region=a"),
        ("models:/drmn-sun@champion", "models:/drmn-sun@champion"),
        (
            "s3://bucket/x?endpoint_override=localhost:1",
            "s3://bucket/x?endpoint_override=localhost:1",
        ),
        ("loss.lambda_sc=0.1", "loss.lambda_sc=0.1"),
    ],
)
def test_a_commands_secrets_are_hidden_and_nothing_else(given: str, shown: str) -> None:
    assert without_secrets(given) == shown


def test_the_command_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/drmn", "ablate", "--name", "two words"])
    assert command_line() == "drmn ablate --name 'two words'"


def test_only_what_a_machine_told_is_tagged() -> None:
    assert machine_tags({"host": "a", "gpu": "none"}) == {Tag.HOST: "a", Tag.GPU: "none"}
    assert machine_tags({}) == {}
