"""``drmn register``: a sweep's model into MLflow's registry, where its sweep could not do it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from orchestration.serving.reading import find_model
from orchestration.settings import read_settings


def register(
    model: Annotated[Path, typer.Argument(help="A sweep's folder, or its model.drmn.")],
) -> None:
    """Register a sweep's model in MLflow; it becomes champion if validation says so.

    Sweeps do this themselves; it is needed where MLflow did not answer then, and harmless again.

    Example: drmn register .drmn/sweeps/NAME
    """
    from orchestration.serving.registry import register as into_registry  # a second to import

    found = into_registry(find_model(model), read_settings())
    Console(soft_wrap=True).print(escape(str(found)), highlight=False)
