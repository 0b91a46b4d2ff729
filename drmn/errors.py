"""Every error a user can cause. A message names what, where, the value and the rule."""

REMEDY_MARK = "\n  to mend: "
"""Stands between an error's message and its remedy where it is shown."""


class DrmnError(Exception):
    """Root of all errors shown to users without a traceback.

    Args:
        message: what is wrong, where, the value seen and the rule it breaks.
        remedy: how to mend it, as an imperative sentence; empty where nothing can be advised.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}{REMEDY_MARK}{self.remedy}" if self.remedy else self.message


class ConfigError(DrmnError, ValueError):
    """A configuration value or path breaks a rule."""


class DataError(DrmnError, ValueError):
    """A data file is absent, damaged or contradicts another."""


class StoreError(DataError):
    """A place for files, such as a bucket, refuses, fails or returned other bytes than it got."""


class StoreAwayError(StoreError):
    """A place for files does not answer, or throttles: it may do so again in a while."""


class CheckpointError(DrmnError):
    """A checkpoint is truncated, tampered with or of another configuration."""


class DivergenceError(DrmnError, ArithmeticError):
    """A loss became NaN or infinite: the trial has failed, which is no bad score."""


class DeviceMemoryError(DrmnError):
    """A GPU's memory, or the share of it that a run was given, does not suffice."""
