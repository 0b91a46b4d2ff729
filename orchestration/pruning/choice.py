"""From a request's settings to the rule they name."""

from orchestration.pruning.halving import Hyperband, SuccessiveHalving
from orchestration.pruning.median import MedianStopping
from orchestration.pruning.population import PopulationBased
from orchestration.pruning.rule import NoPruning, Rule
from orchestration.pruning_rule import Pruner, PruningRule


def build_rule(settings: PruningRule, max_epochs: int, seed: int = 0) -> Rule:
    """The rule, knowing of no trial yet; ``seed`` is the sweep's, for what draws."""
    grace_period, reduction_factor = settings.grace_period, settings.reduction_factor
    match settings.pruner:
        case Pruner.ASHA:
            return SuccessiveHalving(
                grace_period=grace_period, reduction_factor=reduction_factor, max_epochs=max_epochs
            )
        case Pruner.HYPERBAND:
            return Hyperband(
                grace_period=grace_period, reduction_factor=reduction_factor, max_epochs=max_epochs
            )
        case Pruner.MEDIAN:
            return MedianStopping(
                grace_period=grace_period,
                min_samples=settings.min_samples,
                max_epochs=max_epochs,
            )
        case Pruner.PBT:
            return PopulationBased(interval=grace_period, max_epochs=max_epochs, seed=seed)
        case Pruner.NONE:
            return NoPruning(max_epochs=max_epochs)
