"""Where a data set's folder is; the demo set is rendered when it is first asked for."""

from pathlib import Path

from rich.console import Console

from drmn.data.sprites import render_sprites
from orchestration.progress import progress_bar
from orchestration.settings import Settings

SPRITES = "sprites"


def resolve_data_root(
    dataset: str, given: Path | None, settings: Settings, console: Console
) -> Path:
    """``given``, else the configured root; for sprites the folder they are rendered into."""
    if dataset != SPRITES or given is not None:
        return given or settings.data_root
    with progress_bar(console) as bar:
        task = bar.add_task("rendering sprites", total=None)
        render_sprites(
            settings.sprites_root,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    return settings.sprites_root
