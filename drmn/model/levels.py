"""The shape of one backbone stage's output: all that the model must know of a backbone."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LevelSpec:
    """A batch of this level is ``[B, height, width, channels]``."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: height, width, channels."""
        return self.height, self.width, self.channels

    @property
    def num_values(self) -> int:
        return self.height * self.width * self.channels
