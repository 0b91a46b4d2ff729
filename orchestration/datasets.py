"""Where a data set's folder is; the demo set is rendered when it is first asked for."""

from pathlib import Path

from rich.console import Console

from drmn.data.sprites import render_sprites
from orchestration.progress import progress
from orchestration.settings import Settings

SPRITES = "sprites"


def resolve_data_root(
    dataset: str, given: Path | None, settings: Settings, console: Console
) -> Path:
    """``given``, else the configured root; for sprites the folder they are rendered into.

    It is absolute: trials and tasks run in other working directories.
    """
    if dataset != SPRITES or given is not None:
        return (given or settings.data_root).resolve()
    with progress(console, "rendering sprites") as report:
        render_sprites(settings.sprites_root, progress=report)
    return settings.sprites_root
