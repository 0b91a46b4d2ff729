"""The words of a run: its tags, how it ended, what can go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from drmn.errors import DrmnError


class Tag(StrEnum):
    """Every tag drmn sets."""

    DATASET = "drmn.dataset"
    VARIANT = "drmn.variant"
    PROTOCOL = "drmn.protocol"
    CONFIG_HASH = "drmn.config_hash"
    DATA_HASH = "drmn.data_hash"
    SPLIT_HASH = "drmn.split_hash"
    WEIGHTS_HASH = "drmn.weights_hash"
    GIT_SHA = "drmn.git_sha"
    SEED = "drmn.seed"
    TRIAL_KEY = "drmn.trial_key"
    SWEEP = "drmn.sweep"
    KIND = "drmn.kind"
    FAILURE = "drmn.failure"
    STOPPED = "drmn.stopped"
    CHANGE = "drmn.change"
    SCHEDULE = "drmn.loss_schedule"
    COMMAND = "drmn.command"
    HOST = "drmn.host"
    CPU = "drmn.cpu"
    GPU = "drmn.gpu"


class MlflowTag(StrEnum):
    """Tags of MLflow's own that its UI shows in places of their own."""

    DESCRIPTION = "mlflow.note.content"
    USER = "mlflow.user"
    SOURCE_NAME = "mlflow.source.name"
    SOURCE_TYPE = "mlflow.source.type"
    SOURCE_COMMIT = "mlflow.source.git.commit"


@dataclass(frozen=True, kw_only=True)
class DataInput:
    """A data set as a run's input.

    ``fields``: name, digest, source_type, source, schema, profile. MLflow keeps one data set for
    each name and digest of an experiment, so all else must follow from these two.
    """

    fields: Mapping[str, str]
    context: str
    """What the run read it for."""


class Status(StrEnum):
    """How a run ended, in MLflow's words; a pruned or stopped trial is KILLED."""

    FINISHED = "FINISHED"
    FAILED = "FAILED"
    PRUNED = "KILLED"
    STOPPED = "KILLED"


class TrackingError(DrmnError):
    """The tracking server refuses, or does not answer."""


class RefusedError(TrackingError):
    """The server will never take this: trying again changes nothing."""


class OutageError(TrackingError):
    """The server is down, busy or unreachable: trying again may help."""


class WaitingError(OutageError):
    """What is needed first is on its way: nothing to tell anybody."""


class AccessError(OutageError):
    """The server does not let us in; once it does, trying again helps."""
