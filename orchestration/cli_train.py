"""``drmn train``: one configuration, no search."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from drmn.data.dataset import load_dataset
from drmn.errors import ConfigError
from drmn.names import SCORES
from drmn.variants import ENSEMBLE
from orchestration.datasets import resolve_data_root
from orchestration.feature_choice import HELP as FEATURES_HELP
from orchestration.feature_choice import FeatureChoice
from orchestration.levels import prepare_levels
from orchestration.recipe import recipe
from orchestration.settings import read_settings
from orchestration.single_run import SingleRun, train_single


def train(
    dataset: Annotated[str, typer.Option(help="sprites, cub, sun, awa2, cifar-awa2 or a folder.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, logits and scores.")],
    data_root: Annotated[Path | None, typer.Option(help="Holds one folder per data set.")] = None,
    backbone: Annotated[str | None, typer.Option(help="Such as resnet50.")] = None,
    weights: Annotated[str | None, typer.Option(help="A file, 'imagenet' or 'none'.")] = None,
    image_size: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    features: Annotated[str | None, typer.Option(help=FEATURES_HELP)] = None,
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
) -> None:
    """Train one configuration, by default evaluated on validation.

    Example: drmn train --dataset sprites --out run1 --set training.epochs=5
    """
    if out.exists() and any(out.iterdir()) and not resume:
        raise ConfigError(f"the folder {out} is not empty", "give --resume, or another --out")
    given = FeatureChoice.of(features, weights)
    chosen = {"backbone.name": backbone, "data.image_size": image_size, **given.chosen}
    config = recipe(dataset, variant, chosen, overrides or [])
    settings, console = read_settings(), Console(soft_wrap=True)
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
    )
    train_single(run)
    _print_scores(out, console)


def _print_scores(out: Path, console: Console) -> None:
    content = json.loads((out / "scores.json").read_text())
    for name in SCORES:
        value = 100 * content["scores"][name]
        console.print(f"{content['protocol']}/{name:14} {value:5.1f} %", highlight=False)
    console.print(f"files: {out}", highlight=False)
