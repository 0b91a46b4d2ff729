"""``drmn report``: a study as a page or a table."""

from typing import Annotated

import typer

from orchestration.cli_options import StudyName
from orchestration.report.formats import Format
from orchestration.settings import read_settings
from orchestration.terminal.manner import (
    Json,
    error_console,
    print_json,
    progress_console,
    result_console,
)


def report(
    study: StudyName,
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
    as_json: Json = False,
) -> None:
    """Write a study's report and log it to the study's MLflow run."""
    from orchestration.report.results import load_results
    from orchestration.report.shown import Shown
    from orchestration.report.writing import write_report
    from orchestration.study.files import StudyFolder
    from orchestration.study.publishing import log_report

    settings = read_settings()
    folder = StudyFolder(settings.study_folder(study))
    results = load_results(folder)
    shown = Shown(
        classes=tuple(classes or ()), attributes=tuple(attributes or ()), sweeps=tuple(sweeps or ())
    )
    with progress_console(as_json=as_json).status("writing the report"):
        path = write_report(results, folder, form, settings, shown)
        for dataset in results.record.bases:
            if message := log_report(settings, study, dataset, path):
                error_console().print(message, style="red", highlight=False, markup=False)
    if as_json:
        print_json({"study": study, "format": form.value, "report": str(path)})
    else:
        result_console().print(str(path), highlight=False)
