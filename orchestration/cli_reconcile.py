"""``drmn runs reconcile``: the books of sweeps and studies that nothing runs, made to agree."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from orchestration.request_file import REQUEST_FILE, load_request
from orchestration.settings import Settings, read_settings
from orchestration.stopping.driver import driver_of
from orchestration.terminal.exits import EXIT_FAILED, EXIT_OK
from orchestration.terminal.manner import Json, error_console, print_json, result_console

if TYPE_CHECKING:
    from orchestration.repair.truth import Difference


def reconcile_runs(
    name: Annotated[str | None, typer.Argument(help="Of a sweep or a study; default: all.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what differs.")] = False,
    as_json: Json = False,
) -> None:
    """Make ledger, Optuna, MLflow and Tune agree about sweeps and studies that nothing runs.

    What waits here for MLflow is sent, runs left open are closed, a model that could not be
    registered is. Exit code 0: nothing differed; 1: something did, and was mended unless --dry-run.
    """
    console = result_console()
    differing: "dict[str, list[Difference]]" = {}
    for subject, found in _reconciled(name, read_settings(), dry_run=dry_run):
        differing[subject] = found
        if not as_json:
            _print_differences(console, subject, found, dry_run=dry_run)
    if as_json:
        print_json({key: [asdict(each) for each in found] for key, found in differing.items()})
    raise typer.Exit(EXIT_FAILED if any(differing.values()) else EXIT_OK)


def _reconciled(
    name: str | None, settings: Settings, *, dry_run: bool
) -> "Iterator[tuple[str, list[Difference]]]":
    """One after another; those that are at work are left alone unless they were named."""
    from orchestration.repair.reconciling import reconcile
    from orchestration.repair.studies import reconcile_study
    from orchestration.study.files import RECORD_FILE
    from orchestration.sweep import experiment_name
    from orchestration.tracking import is_spooling

    sweeps = _names(settings.home / "sweeps", REQUEST_FILE, name)
    studies = _names(settings.home / "studies", RECORD_FILE, name)
    if name and not sweeps and not studies:
        load_request(settings.sweep_folder(name))  # says which there are
    for sweep in sweeps:
        folder = settings.sweep_folder(sweep)
        request = load_request(folder)
        if name is None and (driver := driver_of(folder)):
            _left_alone(sweep, str(driver))
        else:
            yield sweep, reconcile(request, settings, experiment_name(request), dry_run=dry_run)
    for study in studies:
        if name is None and is_spooling(settings.study_folder(study)):
            _left_alone(f"study {study}", "a process")
        else:
            yield f"study {study}", reconcile_study(study, settings, dry_run=dry_run)


def _names(root: Path, file: str, name: str | None) -> list[str]:
    found = sorted(path.parent.name for path in root.glob(f"*/{file}"))
    return found if name is None else [each for each in found if each == name]


def _left_alone(subject: str, driver: str) -> None:
    error_console().print(f"{subject}: left alone, {driver} runs it", highlight=False)


def _print_differences(
    console: Console, subject: str, found: "list[Difference]", *, dry_run: bool
) -> None:
    if not found:
        console.print(f"{subject}: nothing differs", highlight=False)
        return
    table = Table("run or trial", "book", "has", "should have", box=box.SIMPLE_HEAD)
    for each in found:
        table.add_row(each.subject, each.book, each.has, each.should_have)
    console.print(f"{subject}: {'differs' if dry_run else 'mended'}", highlight=False)
    console.print(table)
