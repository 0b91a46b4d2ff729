"""Which of a trial's checkpoints stay in Tune's storage."""

from typing import Any

from ray import tune
from ray.tune.experiment import Trial

from orchestration.objective import direction
from orchestration.retention_rule import Retention


class KeepCheckpoints(tune.Callback):
    """Tune's callback that gives each trial its own rule.

    Were the rule in Tune's CheckpointConfig, Tune would write the whole experiment's state after
    every few checkpoints of any trial. A sweep goes on from its ledger, not from that state.
    """

    def __init__(self, retention: Retention, objective: str) -> None:
        self._retention = retention
        self._objective = objective

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **_: Any) -> None:
        """Tune's hook, also when a trial goes on in another process."""
        manager = trial.run_metadata.checkpoint_manager
        if self._retention is Retention.ALL or manager.checkpoint_config.num_to_keep:
            return
        config = tune.CheckpointConfig(checkpoint_frequency=1, num_to_keep=1, **self._score())
        trial.run_metadata.checkpoint_manager = type(manager)(config)

    def _score(self) -> dict[str, str]:
        """Without a score the best is the newest; the newest is kept in any case."""
        if self._retention is Retention.LAST:
            return {}
        order = {"maximize": "max", "minimize": "min"}[direction(self._objective)]
        return {
            "checkpoint_score_attribute": self._objective,
            "checkpoint_score_order": order,
        }
