"""Where a trial's checkpoints lie in Tune's storage, and how a resumed trial takes one up."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pyarrow import fs

from drmn.errors import CheckpointError
from drmn.training import Trainer

logger = logging.getLogger("drmn")

TRIAL_FOLDER = "trial_{trial}"
"""Name of a trial's folder below its Tune experiment."""


def attempt_name(sweep: str, attempt: int) -> str:
    """Tune's experiment of one driver's life; a resumed sweep starts another."""
    return f"{sweep}-{attempt}"


def list_checkpoints(storage: str, sweep: str, attempts: int, trial: str) -> list[str]:
    """URIs or paths of the trial's checkpoints, newest first, over all attempts so far."""
    filesystem, root = filesystem_of(storage)
    found: list[str] = []
    for attempt in range(attempts, 0, -1):
        folder = f"{root}/{attempt_name(sweep, attempt)}/{TRIAL_FOLDER.format(trial=trial)}"
        entries = filesystem.get_file_info(fs.FileSelector(folder, allow_not_found=True))
        names = [e.base_name for e in entries if e.base_name.startswith("checkpoint_")]
        relative = folder.removeprefix(root)
        found += [f"{storage}{relative}/{name}" for name in sorted(names, reverse=True)]
    return found


def restore_newest(trainer: Trainer, checkpoints: Sequence[str]) -> None:
    """Take up the first checkpoint that is whole; from the start where none is."""
    for uri in checkpoints:
        filesystem, path = filesystem_of(uri)
        with tempfile.TemporaryDirectory(prefix="drmn-resume-") as folder:
            fs.copy_files(path, folder, source_filesystem=filesystem)
            try:
                trainer.restore(Path(folder))
            except CheckpointError as error:
                logger.warning("%s is passed over: %s", uri, error)
                continue
        return


def filesystem_of(location: str) -> tuple[fs.FileSystem, str]:
    """Where a folder or URI lies, and its path there."""
    if "://" in location:
        filesystem, path = fs.FileSystem.from_uri(location)
        return filesystem, path.rstrip("/")
    return fs.LocalFileSystem(), location.rstrip("/")
