"""``drmn report``: a study as a page or a table."""

from typing import Annotated

import typer
from rich.console import Console

from orchestration.report.results import load_results
from orchestration.report.shown import Shown
from orchestration.report.writing import Format, write_report
from orchestration.settings import read_settings
from orchestration.study.files import StudyFolder
from orchestration.study.publishing import log_report


def report(
    study: Annotated[str, typer.Argument(help="Name of a study that `drmn ablate` ran.")],
    form: Annotated[
        Format, typer.Option("--format", help="A page, or its tables alone.")
    ] = Format.HTML,
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="An unseen class whose image Fig. 4 shows; repeatable."),
    ] = None,
    attributes: Annotated[
        list[str] | None,
        typer.Option("--attribute", help="An attribute that Fig. 4 shows; repeatable."),
    ] = None,
    sweeps: Annotated[
        list[str] | None,
        typer.Option("--sweep", help="A sweep whose search the page shows, too; repeatable."),
    ] = None,
) -> None:
    """Write a study's report and log it to the study's MLflow run.

    Example: drmn report paper-sprites --format tex
    """
    settings, console = read_settings(), Console(soft_wrap=True)
    folder = StudyFolder(settings.study_folder(study))
    results = load_results(folder)
    shown = Shown(
        classes=tuple(classes or ()), attributes=tuple(attributes or ()), sweeps=tuple(sweeps or ())
    )
    path = write_report(results, folder, form, settings, shown)
    for dataset in results.record.bases:
        log_report(settings, study, dataset, path)
    console.print(str(path), highlight=False)
