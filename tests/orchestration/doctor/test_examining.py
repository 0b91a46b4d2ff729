"""The doctor itself: in order, in time, and it never raises."""

import json
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drmn.errors import DataError
from orchestration.cli import app
from orchestration.doctor import checks
from orchestration.doctor.examining import Examined, examine
from orchestration.doctor.finding import Check, Finding, Level, bad, good, warning
from orchestration.settings import Settings, read_settings


def _look(*findings: Finding) -> Check:
    return Check(name="one", look=lambda _settings: list(findings))


def test_checks_are_told_in_order_with_their_worst() -> None:
    looks = [_look(good("a")), _look(good("a"), bad("b", "c"), warning("d", "e")), _look()]
    found = list(examine(looks, read_settings({})))
    assert [each.level for each in found] == [Level.GOOD, Level.BAD, Level.GOOD]


def test_one_that_raises_or_hangs_is_a_finding() -> None:
    release = threading.Event()

    def hang(_settings: Settings) -> list[Finding]:
        release.wait(30)
        return []

    def mistake(_settings: Settings) -> list[Finding]:
        raise DataError("no such thing", "make one")

    def bug(_settings: Settings) -> list[Finding]:
        raise ZeroDivisionError("postgresql://me:canary@host/x")

    def leave(_settings: Settings) -> list[Finding]:
        raise SystemExit(3)

    given = [Check(name="x", look=look, limit_s=0.2) for look in (hang, mistake, bug, leave)]
    found = [findings for each in examine(given, read_settings({})) for findings in each.findings]
    release.set()
    assert [each.level for each in found] == [Level.BAD] * 4
    assert "no answer within 0.2 s" in found[0].text
    assert (found[1].text, found[1].remedy) == ("no such thing", "make one")
    assert "ZeroDivisionError: postgresql://me:***@host/x" in found[2].text


@pytest.mark.parametrize(
    ("finding", "code"), [(good("fine"), 0), (warning("so so", "better"), 0), (bad("no", "do"), 1)]
)
def test_the_command_shows_marks_remedies_and_an_exit_code(
    finding: Finding, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "CHECKS", (_look(good("first")), _look(finding)))
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == code
    assert f"{finding.level.value:7}  one: {finding.text}" in done.stdout
    assert (f"to mend: {finding.remedy}" in done.stdout) == bool(finding.remedy)
    quiet = CliRunner().invoke(app, ["doctor", "-q"])
    assert "first" not in quiet.stdout
    content = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    assert content["level"] == finding.level.value
    assert content["checks"][1]["findings"][0]["text"] == finding.text


def test_every_check_has_a_name_and_a_limit_of_its_own() -> None:
    assert len({check.name for check in checks.CHECKS}) == len(checks.CHECKS)
    assert all(0 < check.limit_s <= 60 for check in checks.CHECKS)
    assert Examined(name="x", findings=[]).level is Level.GOOD


def test_settings_that_are_wrong_are_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRMN_HOME", str(tmp_path))
    monkeypatch.setenv("DRMN_TRACKING_WAIT_S", "soon")
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 2
