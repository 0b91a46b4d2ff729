"""``drmn register``: a sweep's model into MLflow's registry, where its sweep could not do it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from orchestration.settings import read_settings
from orchestration.terminal.manner import Json, print_json, progress_console, result_console


def register(
    model: Annotated[Path, typer.Argument(help="A sweep's folder, or its model.drmn.")],
    as_json: Json = False,
) -> None:
    """Register a sweep's model in MLflow; it becomes champion if validation says so.

    Sweeps do this themselves; it is needed where MLflow did not answer then, and harmless again.
    """
    from orchestration.serving.reading import find_model
    from orchestration.serving.registering import register_model

    with progress_console(as_json=as_json).status("registering the model"):
        found = register_model(find_model(model), read_settings())
    if as_json:
        print_json({"model": found.uri, **asdict(found)})
    else:
        result_console().print(escape(str(found)), highlight=False)
