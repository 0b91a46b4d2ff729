"""The four hyperparameters the paper tunes, around the values it reports (section 4.1).

The ranges hold every setting of the paper (lambda_SC 0.1-0.2, lambda_GC 0.5-0.6, beta 0.3-0.4)
and the sweeps of its Figs. 6 and 7; gamma, which the paper does not give, spans logit scales
gamma^2 from 9 to 100.
"""

from search_spaces.domain import Domain, LogUniform, SearchSpace, Uniform, checked

LAMBDA_SC = "loss.lambda_sc"
LAMBDA_GC = "loss.lambda_gc"
BETA = "inference.beta"
GAMMA = "model.classifier.gamma"


def four_parameters(**overrides: Domain) -> SearchSpace:
    """lambda_SC, lambda_GC, beta and gamma; ``overrides`` replaces a domain by its short name."""
    domains: dict[str, Domain] = {
        "lambda_sc": LogUniform(low=0.001, high=1.0),
        "lambda_gc": Uniform(low=0.1, high=1.5),
        "beta": Uniform(low=0.0, high=1.0),
        "gamma": LogUniform(low=3.0, high=10.0),
    }
    domains.update(overrides)
    paths = {"lambda_sc": LAMBDA_SC, "lambda_gc": LAMBDA_GC, "beta": BETA, "gamma": GAMMA}
    return checked({paths[name]: domain for name, domain in domains.items()})
