"""``drmn doctor``: what would fail later, said now."""

import typer
from rich.console import Console
from rich.markup import escape

from orchestration.doctor.examining import Examined, examine
from orchestration.doctor.finding import Level
from orchestration.settings import read_settings
from orchestration.terminal.exits import EXIT_FAILED, EXIT_OK
from orchestration.terminal.manner import Json, manner, print_json, progress_console, result_console

_MARKS = {
    Level.GOOD: "[green]good[/]   ",
    Level.WARNING: "[yellow]warning[/]",
    Level.BAD: "[red]bad[/]    ",
}


def doctor(as_json: Json = False) -> None:
    """Check machine, versions, GPU, Ray, MLflow, S3, data and secrets; say how to mend each.

    Exit code 1 where something is bad; warnings alone are 0.
    """
    from orchestration.doctor.checks import CHECKS

    found = []
    with progress_console(as_json=as_json).status("looking") as status:
        for examined in examine(CHECKS, read_settings()):
            found.append(examined)
            status.update(f"looked at {examined.name}")
            if not as_json:
                _show(examined, result_console())
    is_bad = any(each.level is Level.BAD for each in found)
    if as_json:
        print_json({"level": _worst(found), "checks": [_plain(each) for each in found]})
    raise typer.Exit(EXIT_FAILED if is_bad else EXIT_OK)


def _show(examined: Examined, console: Console) -> None:
    """With ``-q`` what is good is left out."""
    for finding in examined.findings:
        if finding.level is Level.GOOD and manner().quiet:
            continue
        text = escape(finding.text)
        console.print(f"{_MARKS[finding.level]}  {examined.name}: {text}", highlight=False)
        if finding.remedy:
            console.print(f"           to mend: {escape(finding.remedy)}", highlight=False)


def _worst(found: list[Examined]) -> str:
    return next(level.value for level in reversed(Level) if level in [e.level for e in found])


def _plain(examined: Examined) -> dict[str, object]:
    findings = [
        {"level": each.level.value, "text": each.text, "remedy": each.remedy}
        for each in examined.findings
    ]
    return {"name": examined.name, "level": examined.level.value, "findings": findings}
