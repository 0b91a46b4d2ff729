"""Where a trial's checkpoints lie in Tune's storage, and how a resumed trial takes one up."""

import logging
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pyarrow import fs
from ray import tune

from drmn.checkpoint import checkpoint_path
from drmn.errors import CheckpointError, StoreAwayError
from drmn.places import ATTEMPTS, below, open_place, shown, store_errors
from drmn.training import Trainer

logger = logging.getLogger("drmn")

TRIAL_FOLDER = "trial_{trial}"
"""Name of a trial's folder below its Tune experiment."""
_PAUSE_S = 1.0

T = TypeVar("T")


def outlasting(limit_s: float, attempt: Callable[[], T]) -> T:
    """What ``attempt`` returns; it is made again while the storage is away, for ``limit_s``.

    Raises:
        StoreAwayError: the storage was away for longer.
    """
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return attempt()
        except StoreAwayError as error:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise
            logger.warning("%s; trying for another %.0f s", error.message, left_s)
        time.sleep(_PAUSE_S)


def attempt_name(sweep: str, attempt: int) -> str:
    """Tune's experiment of one driver's life; a resumed sweep starts another."""
    return f"{sweep}-{attempt}"


def list_checkpoints(storage: str, sweep: str, attempts: int, trial: str) -> list[str]:
    """Addresses of the trial's checkpoints, newest first, over all attempts so far.

    Raises:
        StoreError: the storage cannot be read.
    """
    filesystem, root = open_place(storage)
    found: list[str] = []
    for attempt in range(attempts, 0, -1):
        folder = f"{attempt_name(sweep, attempt)}/{TRIAL_FOLDER.format(trial=trial)}"
        selector = fs.FileSelector(f"{root}/{folder}", allow_not_found=True)
        with store_errors(f"{shown(storage)} cannot be listed"):
            entries = filesystem.get_file_info(selector)
        names = [e.base_name for e in entries if e.base_name.startswith("checkpoint_")]
        found += [below(storage, f"{folder}/{name}") for name in sorted(names, reverse=True)]
    return found


def checkpoints_after(storage: str, sweep: str, attempts: int, trial: str, epoch: int) -> list[str]:
    """Those of :func:`list_checkpoints` that hold the state after ``epoch``."""
    found = list_checkpoints(storage, sweep, attempts, trial)
    return [uri for uri in found if _holds(uri, epoch)]


def _holds(uri: str, epoch: int) -> bool:
    filesystem, path = open_place(uri)
    with store_errors(f"{shown(uri)} cannot be read"):
        info = filesystem.get_file_info(str(checkpoint_path(Path(path), epoch)))
    return bool(info.type == fs.FileType.File)


def restore_newest(trainer: Trainer, checkpoints: Sequence[str]) -> None:
    """Take up the first checkpoint that is whole; from the start where none is.

    Raises:
        StoreError: the storage cannot be read: to begin anew would lose what it holds.
    """
    for place in checkpoints:
        with tempfile.TemporaryDirectory(prefix="drmn-resume-") as folder:
            _fetch(place, folder)
            try:
                trainer.restore(Path(folder))
            except CheckpointError as error:
                logger.warning("%s is passed over: %s", shown(place), error)
                continue
        return


def tune_storage(storage: str, attempts: int = ATTEMPTS) -> dict[str, Any]:
    """``storage`` as arguments of Tune's RunConfig.

    Raises:
        StoreError: it is no address, or holds credentials.
    """
    if "://" not in storage:
        return {"storage_path": storage}
    filesystem, path = open_place(storage, attempts)
    return {"storage_path": path, "storage_filesystem": filesystem}


def store_missing(folder: Path, checkpoint: tune.Checkpoint) -> None:
    """Store those of ``folder``'s files that are not in ``checkpoint`` with their size.

    Tune copies with ``pyarrow.fs.copy_files``, which loses the error of an upload that fails in
    the background or as its file is closed (pyarrow 25): Tune then takes an empty checkpoint for a
    stored one.

    Raises:
        OSError: the store refuses, or cannot be reached.
    """
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        target = f"{checkpoint.path}/{path.relative_to(folder).as_posix()}"
        if checkpoint.filesystem.get_file_info(target).size != path.stat().st_size:
            with checkpoint.filesystem.open_output_stream(target) as stream:
                stream.write(path.read_bytes())


def check_writable(storage: str, attempts: int = ATTEMPTS) -> None:
    """Make the folder ``storage``.

    Raises:
        StoreError: it cannot be made: Tune could not begin.
    """
    filesystem, root = open_place(storage, attempts)
    with store_errors(f"{shown(storage)} cannot be written"):
        filesystem.create_dir(root, recursive=True)


def _fetch(place: str, folder: str) -> None:
    filesystem, path = open_place(place)
    with store_errors(f"{shown(place)} cannot be read"):
        fs.copy_files(path, folder, source_filesystem=filesystem)
