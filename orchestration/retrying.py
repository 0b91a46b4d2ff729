"""A trial whose process or node is lost goes on from its checkpoint; one that raised does not."""

from ray.exceptions import RayActorError
from ray.tune.experiment import Trial

MAX_LOSSES = 3
"""How many processes one trial may lose before it counts as failed."""


class LossTolerantTrial(Trial):  # type: ignore[misc, unused-ignore]
    """Tune counts losses of a process and errors of the training alike; here errors are final."""

    def handle_error(self, exc: Exception | None = None) -> None:
        """Tune's hook, before it asks whether to try again."""
        super().handle_error(exc)
        if not isinstance(exc, RayActorError):
            self.run_metadata.num_failures = max(
                self.run_metadata.num_failures, self.max_failures + 1
            )


def tolerate_losses(trial: Trial) -> None:
    """Make a trial that Tune has created one that is retried only where its process was lost."""
    trial.__class__ = LossTolerantTrial
