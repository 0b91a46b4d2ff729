"""``drmn train``: one configuration, no search."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from drmn.errors import ConfigError
from drmn.names import SCORES
from drmn.variants import ENSEMBLE
from orchestration.cli_options import Backbone, DataRoot, Dataset, Features, ImageSize, Weights
from orchestration.recipe import recipe
from orchestration.settings import read_settings
from orchestration.terminal.manner import Json, print_json, progress_console, result_console


def train(
    dataset: Dataset,
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logits and scores.")],
    data_root: DataRoot = None,
    backbone: Backbone = None,
    weights: Weights = None,
    image_size: ImageSize = None,
    features: Features = None,
    variant: Annotated[str, typer.Option(help="A row of Table 2 or 3.")] = ENSEMBLE.name,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Any setting; repeatable."),
    ] = None,
    on_test: Annotated[
        bool, typer.Option("--test", help="Train on trainval, evaluate test once at the end.")
    ] = False,
    devices: Annotated[
        int, typer.Option(min=1, help="GPUs (or processes) that share each batch.")
    ] = 1,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint in --out.")] = False,
    as_json: Json = False,
) -> None:
    """Train one configuration, by default evaluated on validation."""
    from drmn.data.dataset import load_dataset
    from orchestration.datasets import resolve_data_root
    from orchestration.feature_choice import FeatureChoice
    from orchestration.levels import prepare_levels
    from orchestration.single_run import SingleRun, train_single

    if _holds_files(out) and not resume:
        raise ConfigError(f"the folder {out} is not empty", "give --resume, or another --out")
    given = FeatureChoice.of(features, weights)
    chosen = {"backbone.name": backbone, "data.image_size": image_size, **given.chosen}
    config = recipe(dataset, variant, chosen, overrides or [])
    settings, console = read_settings(), progress_console(as_json=as_json)
    root = resolve_data_root(dataset, data_root, settings, console)
    found = load_dataset(config.data.dataset, root)
    run = SingleRun(
        config=config.flat(),
        data_root=str(root),
        features=prepare_levels(found, config, settings.cache_root, console, given.store),
        out=str(out),
        on_test=on_test,
        num_devices=devices,
        resume=resume,
        silent=console.quiet,
        on_stderr=as_json,
    )
    try:
        train_single(run)
    except KeyboardInterrupt:
        has_begun = out.exists() and any(out.iterdir())
        console.print(f"give the same command {'and --resume' if has_begun else 'again'}")
        raise
    content: dict[str, Any] = json.loads((out / "scores.json").read_text())
    if as_json:
        print_json({"folder": str(out), **content})
    else:
        _print_scores(content, out, result_console())


def _holds_files(out: Path) -> bool:
    try:
        return out.exists() and any(out.iterdir())
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be a folder for results: {error.strerror}", "give another --out"
        ) from error


def _print_scores(content: dict[str, Any], out: Path, console: Console) -> None:
    for name in SCORES:
        value = 100 * content["scores"][name]
        console.print(f"{content['protocol']}/{name:14} {value:5.1f} %", highlight=False)
    console.print(f"files: {out}", highlight=False)
