"""Whether a checkpoint may be gone on from by a run of given settings."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from drmn.checkpoint import check_same
from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.errors import CheckpointError
from drmn.loss_schedule import until
from drmn.reading import FAULTS, shortened

MAY_DIFFER = ("training.epochs", "inference")
"""Settings that a run may be resumed with another value of: no weight depends on them."""

_SCHEDULE = "loss.schedule"


@contextmanager
def loading(file: Path) -> Iterator[None]:
    """A whole checkpoint may yet hold something else than this run's state.

    Raises:
        CheckpointError: it does, in place of whatever loading it raises.
    """
    try:
        yield
    except (CheckpointError, torch.OutOfMemoryError):
        raise
    except (*FAULTS, RuntimeError) as error:
        raise CheckpointError(
            f"the checkpoint {file} holds no state of this run ({shortened(error)})",
            "resume from the checkpoint before it, or start the run anew",
        ) from error


def check_resumable(
    state: Mapping[str, Any],
    config: Config,
    split_hash: str,
    *,
    origin: str,
    may_differ: tuple[str, ...],
) -> None:
    """``state`` is what ``config`` gives after as many epochs.

    Of ``loss.schedule`` only what comes up to that epoch has to agree.

    Raises:
        CheckpointError: naming what differs.
    """
    epoch = state["epoch"]
    saved, own = _up_to(json.loads(state["config"]), epoch), _up_to(config.flat(), epoch)
    check_same(origin, saved, own, may_differ)
    check_same(origin, {"split": state["split"]}, {"split": split_hash}, ())


def _up_to(flat: Mapping[str, Scalar], epoch: int) -> dict[str, Scalar]:
    """Settings without what is planned for later; a checkpoint may be older than schedules are."""
    return {**flat, _SCHEDULE: until(str(flat.get(_SCHEDULE, "")), epoch)}
