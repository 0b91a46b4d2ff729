"""The shape of one backbone stage's output, the only thing the model must know of a backbone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LevelSpec:
    """One level, channels-last: tensors of it are ``[B, height, width, channels]``."""

    channels: int
    height: int
    width: int

    @property
    def num_regions(self) -> int:
        """R: the number of grid cells."""
        return self.height * self.width
