"""Which sampler draws a sweep's configurations."""

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from drmn.seeding import derive_seed
from orchestration.request import SweepRequest
from orchestration.sampling import SamplerName
from search_spaces.domain import Choice, Domain, LogUniform


def distribution(domain: Domain) -> BaseDistribution:
    """Optuna's word for a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    return FloatDistribution(domain.low, domain.high, log=isinstance(domain, LogUniform))


def sampler(request: SweepRequest, number: int) -> optuna.samplers.BaseSampler:
    """What draws trial ``number`` where nothing was planned for it.

    TPE and GP know of trials that still run, and sample at random first: a quarter of the trials,
    from 4 to Optuna's usual 10. A sampler is made anew for each trial, seeded by the trial's
    number: a resumed sweep does not repeat its draws.
    """
    seed = derive_seed(request.seed, "suggestion", number) % 2**32
    num_random = min(10, max(4, request.num_trials // 4))
    match request.sampler.name:
        case SamplerName.TPE:
            return optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, n_startup_trials=num_random
            )
        case SamplerName.GP:
            return optuna.samplers.GPSampler(seed=seed, n_startup_trials=num_random)
        case _:
            return optuna.samplers.RandomSampler(seed=seed)
