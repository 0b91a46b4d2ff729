"""Which sampler draws a sweep's configurations."""

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from drmn.seeding import derive_seed
from orchestration.request import SweepRequest
from search_spaces.domain import Choice, Domain, LogUniform


def distribution(domain: Domain) -> BaseDistribution:
    """Optuna's word for a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    return FloatDistribution(domain.low, domain.high, log=isinstance(domain, LogUniform))


def sampler(request: SweepRequest, number: int) -> optuna.samplers.BaseSampler:
    """TPE, aware of trials that still run, which samples at random first.

    The random phase is a quarter of the trials, from 4 to TPE's usual 10. A sampler is made anew
    for each trial, seeded by the trial's number: a resumed sweep does not repeat its draws.
    """
    return optuna.samplers.TPESampler(
        seed=derive_seed(request.seed, "suggestion", number) % 2**32,
        multivariate=True,
        constant_liar=True,
        n_startup_trials=min(10, max(4, request.num_trials // 4)),
    )
