"""The brake's side of Tune: nothing is begun, and the running epochs are the last."""

from collections.abc import Callable, Sequence
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.search import Searcher
from rich.console import Console

from orchestration.events import TRIAL
from orchestration.stopping.brake import Brake
from orchestration.stopping.budget import Budget, Meter


class HoldingSearcher(Searcher):  # type: ignore[misc, unused-ignore]
    """Suggests nothing once the brake is pulled, and tells no end of trials that are held.

    Args:
        searcher: what suggests.
        brake: of the sweep.
        limit: how many trials may be under way, asked before each suggestion.
    """

    def __init__(self, searcher: Searcher, brake: Brake, limit: Callable[[], int]) -> None:
        super().__init__(metric=searcher.metric, mode=searcher.mode)
        self._searcher = searcher
        self._brake = brake
        self._limit = limit
        self._names: dict[str, str] = {}
        self._under_way: set[str] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Tune's hook."""
        if self._brake.is_pulled:
            return str(Searcher.FINISHED)
        if len(self._under_way) >= self._limit():
            return None
        suggestion: dict[str, Any] | str | None = self._searcher.suggest(trial_id)
        if isinstance(suggestion, dict):
            self._names[trial_id] = suggestion[TRIAL]
            self._under_way.add(trial_id)
        return suggestion

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Tune's hook."""
        self._searcher.on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tune's hook; a held trial has reported its epoch and has no end yet."""
        self._under_way.discard(trial_id)
        if self._names[trial_id] not in self._brake.held:
            self._searcher.on_trial_complete(trial_id, result, error)
        elif result:
            self._searcher.on_trial_result(trial_id, result)

    def save(self, checkpoint_path: str) -> None:
        """Tune's hook."""
        self._searcher.save(checkpoint_path)

    def restore(self, checkpoint_path: str) -> None:
        """Tune's hook."""
        self._searcher.restore(checkpoint_path)

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher; the study's own storage is the state."""
        return {}


class Watch(tune.Callback):
    """Ticks the meter, pulls the brake once the budget is spent, and says once that it is."""

    def __init__(self, brake: Brake, budget: Budget, meter: Meter, console: Console) -> None:
        self._brake = brake
        self._budget = budget
        self._meter = meter
        self._console = console
        self._said = ""

    def on_step_begin(self, iteration: int, trials: Sequence[Trial], **_: Any) -> None:
        """Tune's hook, before every event: thousands of trials are looked at once a second."""
        if self._meter.is_due:
            self._meter.tick(sum(map(_num_gpus, trials)))
        spent = self._budget.spent(self._meter.wall_h, self._meter.gpu_h)
        if spent and not self._brake.is_pulled:
            self._brake.pull(spent)
        if self._brake.reason != self._said:
            self._said = self._brake.reason
            self._say()

    def _say(self) -> None:
        again = "; again: now" if self._brake.exit_code else ""
        self._console.print(
            f"{self._brake.reason}: stopping after the running epochs{again}",
            style="bold",
            highlight=False,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks; consoles and clocks stay behind."""
        return {}


def _num_gpus(trial: Trial) -> float:
    """What a trial reserves while it runs."""
    if trial.status != Trial.RUNNING:
        return 0.0
    return float(trial.placement_group_factory.required_resources.get("GPU", 0.0))
