"""What a user can ask to be kept of trials."""

from enum import StrEnum


class Retention(StrEnum):
    """What is kept of a trial; the rest is removed after a newer one has been stored whole."""

    BEST_AND_LAST = "best,last"
    LAST = "last"
    ALL = "all"

    @property
    def num_kept(self) -> int | None:
        """Of a trial, at most; None: all."""
        return {Retention.BEST_AND_LAST: 2, Retention.LAST: 1, Retention.ALL: None}[self]
