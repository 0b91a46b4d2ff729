"""Checkpoints: sealed files (see :mod:`drmn.sealed`) of which a folder keeps the newest two."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drmn.config_tree import Scalar
from drmn.errors import CheckpointError
from drmn.sealed import SealError, read_sealed, write_sealed

NUM_KEPT = 2
"""Checkpoints kept in a folder: the newest, and one to fall back to."""

_log = logging.getLogger(__name__)


def checkpoint_path(folder: Path, epoch: int) -> Path:
    """Where the state after ``epoch`` epochs lies in ``folder``."""
    return folder / f"epoch-{epoch:05d}.ckpt"


def list_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, newest first."""
    return sorted(folder.glob("epoch-*.ckpt"), reverse=True)


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` (tensors and plain values, nested) to ``path`` atomically."""
    write_sealed(path, state)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Inverse of :func:`save_checkpoint`; tensors on the CPU.

    Raises:
        CheckpointError: the file is absent, truncated, altered or holds more than plain values.
    """
    try:
        return read_sealed(path)
    except SealError as error:
        raise _unusable(path, str(error)) from error


def load_latest(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The newest usable checkpoint of ``folder``; damaged ones are passed over with a warning.

    Raises:
        CheckpointError: there is none, or all are damaged.
    """
    paths = list_checkpoints(folder)
    if not paths:
        raise CheckpointError(
            f"{folder} holds no checkpoint (epoch-NNNNN.ckpt)",
            "name the folder a run was saved to, or start without resuming",
        )
    for path in paths:
        try:
            return path, load_checkpoint(path)
        except CheckpointError as error:
            _log.warning("%s; the checkpoint before it is used", error.message)
    raise CheckpointError(
        f"none of the {len(paths)} checkpoints in {folder} is usable: {paths[0].name} and those "
        "before it are damaged",
        "restore the folder from a copy, or start the run anew",
    )


def discard_old(folder: Path, num_kept: int = NUM_KEPT) -> None:
    """Remove all but the newest ``num_kept`` checkpoints of ``folder``."""
    for path in list_checkpoints(folder)[num_kept:]:
        path.unlink(missing_ok=True)


def refuse_newer(path: Path) -> None:
    """``path`` would be the newest checkpoint of its folder.

    Raises:
        CheckpointError: the folder holds a newer one, which a later resume would take instead.
    """
    newest = max([path, *list_checkpoints(path.parent)])
    if newest != path:
        raise CheckpointError(
            f"{path.parent} holds {newest.name}, but nothing newer than {path.name} may lie there",
            "resume from that folder, or save to another one",
        )


def check_same(
    what: str,
    saved: Mapping[str, Scalar],
    current: Mapping[str, Scalar],
    may_differ: tuple[str, ...],
) -> None:
    """Both mappings agree, except below the dotted paths in ``may_differ``.

    Raises:
        CheckpointError: naming each differing setting with both its values.
    """
    names = [name for name in {**saved, **current} if not _is_below(name, may_differ)]
    absent = object()
    differing = [
        f"{name} ({saved.get(name, 'absent')!r} there, {current.get(name, 'absent')!r} here)"
        for name in names
        if saved.get(name, absent) != current.get(name, absent)
    ]
    if differing:
        raise CheckpointError(
            f"{what} was saved by another configuration; differing: {', '.join(differing)}",
            "resume with the settings it was saved with, or start a new run",
        )


def _is_below(name: str, paths: tuple[str, ...]) -> bool:
    return any(name == path or name.startswith(f"{path}.") for path in paths)


def _unusable(path: Path, fault: str) -> CheckpointError:
    return CheckpointError(
        f"the checkpoint {path} {fault}, but must be whole as it was written",
        "resume from the checkpoint before it, or start the run anew",
    )
