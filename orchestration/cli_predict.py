"""``drmn predict``: what a model says of pictures."""

import csv
import io
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from drmn.atomic import replacing
from drmn.errors import ConfigError
from orchestration.serving.amounts import TOP_ATTRIBUTES, TOP_CLASSES
from orchestration.settings import read_settings
from orchestration.terminal.exits import EXIT_FAILED
from orchestration.terminal.manner import Json, error_console, print_json, result_console

if TYPE_CHECKING:
    from drmn.deployed.prediction import Predictor
    from drmn.deployed.saved_model import SavedModel
    from orchestration.serving.predicting import Predicted

ModelOption = Annotated[
    str, typer.Option(help="A file, a folder, runs:/ID/model or models:/NAME@champion.")
]


def predict(
    model: ModelOption,
    images: Annotated[
        list[Path] | None, typer.Argument(metavar="IMAGE…", show_default=False)
    ] = None,
    classes: Annotated[
        Path | None, typer.Option(help="CSV of classes never trained: class, then attributes.")
    ] = None,
    only_given: Annotated[
        bool, typer.Option("--only-given", help="Answer among the classes of --classes alone.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="Classes to show.")] = TOP_CLASSES,
    attributes: Annotated[int, typer.Option(min=0, help="Attributes to show.")] = TOP_ATTRIBUTES,
    overlay: Annotated[
        Path | None, typer.Option(help="Folder for attention maps, one PNG per picture.")
    ] = None,
    as_json: Json = False,
    template: Annotated[
        Path | None, typer.Option(help="Write the first line of a table for --classes.")
    ] = None,
) -> None:
    """Name the classes of pictures, also classes that no training knew.

    The decision is Algorithm 1's; probabilities are those of the path it took.
    """
    from orchestration.serving.predicting import Wanted, predict_files
    from orchestration.serving.reading import read_model

    if not images and template is None:
        raise ConfigError("no picture is given", "name at least one: drmn predict cat.jpg …")
    saved = read_model(model, read_settings())
    if template is not None:
        _write_template(template, saved)
    predictor = _predictor(saved, classes, only_given=only_given)
    wanted = Wanted(num_classes=top, num_attributes=attributes, overlay=overlay)
    results = []
    for result in predict_files(predictor, images or [], wanted):
        results.append(result)
        _tell(result, quiet=as_json)
    if as_json:
        print_json({"model": model, "images": [_plain(r) for r in results]})
    if any(result.error for result in results):
        raise typer.Exit(EXIT_FAILED)


def _predictor(saved: "SavedModel", classes: Path | None, *, only_given: bool) -> "Predictor":
    import torch

    from drmn.deployed.given_classes import read_classes
    from drmn.deployed.prediction import Predictor

    given = None
    if classes is not None:
        given = read_classes(classes, saved.attribute_names, saved.class_names)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Predictor(saved, given, only_given=only_given, device=device)


def _tell(result: "Predicted", *, quiet: bool) -> None:
    """One picture's lines; errors go to stderr in any case."""
    if result.error is not None:
        shown = escape(str(result.error))
        error_console().print(f"[bold red]error:[/] {shown}", highlight=False)
    if result.answer is None or quiet:
        return
    found, console = result.answer, result_console()
    kind = "seen" if found.is_seen else "unseen"
    console.print(
        f"{escape(str(result.image))}: [bold]{escape(found.decision)}[/] ({kind} class)",
        highlight=False,
    )
    for name, probability in found.classes.items():
        mark = "*" if name == found.decision else " "
        console.print(f"  {mark} {probability:7.2%}  {escape(name)}", highlight=False)
    shown = ", ".join(f"{name} {value:.2f}" for name, value in found.attributes.items())
    if shown:
        console.print(f"  attributes: {escape(shown)}", highlight=False)
    if result.overlay is not None:
        console.print(f"  attention: {escape(str(result.overlay))}", highlight=False)


def _plain(result: "Predicted") -> dict[str, object]:
    if result.answer is None:
        return {"image": str(result.image), "error": str(result.error)}
    content: dict[str, object] = {"image": str(result.image), **asdict(result.answer)}
    return content if result.overlay is None else {**content, "overlay": str(result.overlay)}


def _write_template(path: Path, saved: "SavedModel") -> None:
    from drmn.deployed.given_classes import CLASS_COLUMN

    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([CLASS_COLUMN, *saved.attribute_names])
    with replacing(path) as temporary:
        temporary.write_text(line.getvalue())
