"""What a request with population-based training must hold to."""

from drmn.errors import ConfigError
from orchestration.sampling import SamplerName
from search_spaces.domain import Choice, SearchSpace
from search_spaces.paper import LAMBDA_GC, LAMBDA_SC

MIN_TRIALS = 4
_LEARNING = (SamplerName.TPE, SamplerName.GP)


def check_population(num_trials: int, sampler: SamplerName, space: SearchSpace) -> None:
    """Raise where the trials are no population, or something would learn a wrong mapping.

    Raises:
        ConfigError: too few trials, a sampler that learns, or no loss weight over a range.
    """
    if num_trials < MIN_TRIALS:
        raise ConfigError(
            f"the value of `trials` is {num_trials}, but must be >= {MIN_TRIALS} with pruner pbt",
            "raise --trials, or give another --pruner",
        )
    if sampler in _LEARNING:
        raise ConfigError(
            f"the sampler is {sampler!s}, but must not be one that learns with pruner pbt: a trial "
            "ends with other settings than it was drawn with",
            "give --sampler random, qmc or grid, or another --pruner",
        )
    if all(isinstance(space.get(path), Choice | None) for path in (LAMBDA_SC, LAMBDA_GC)):
        raise ConfigError(
            f"the space has no range for {LAMBDA_SC} or {LAMBDA_GC}, which pruner pbt changes",
            "give another --pruner, or a space with one of them",
        )
