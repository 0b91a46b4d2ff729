"""The studies that come with drmn: the paper's Tables 2 and 3, and its sensitivity curves."""

from collections.abc import Callable

from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from drmn.variants import (
    ACA,
    BASELINE,
    DAB,
    DAB_SIT,
    ENSEMBLE,
    GLOBAL,
    MFF,
    SIT,
    TABLE_2,
    TABLE_3,
    Variant,
)
from orchestration.study.definition import Comparison, Study
from search_spaces.paper import BETA, GAMMA, LAMBDA_GC, LAMBDA_SC


def _pair(part: str, without: Variant, with_it: Variant) -> Comparison:
    return Comparison(part=part, without=without.name, with_it=with_it.name)


_STEPS_2 = (
    _pair("DAB", BASELINE, DAB),
    _pair("SIT", BASELINE, SIT),
    _pair("SIT, given DAB", DAB, DAB_SIT),
    _pair("global branch", DAB_SIT, GLOBAL),
    _pair("ensemble", GLOBAL, ENSEMBLE),
    _pair("everything", BASELINE, ENSEMBLE),
)
_STEPS_3 = (
    _pair("MFF", BASELINE, MFF),
    _pair("ACA", BASELINE, ACA),
    _pair("ACA, given MFF", MFF, DAB),
    _pair("MFF, given ACA", ACA, DAB),
)
_BOTH_BRANCHES: dict[str, Scalar] = {
    "model.global_branch.enabled": True,
    "inference.ensemble": True,
}


def paper() -> Study:
    """Tables 2 and 3 in one: they share the baseline and +DAB."""
    rows = (BASELINE, MFF, ACA, DAB, SIT, DAB_SIT, GLOBAL, ENSEMBLE)
    return Study(name="paper", rows=rows, comparisons=_STEPS_2 + _STEPS_3)


def table_2() -> Study:
    """Table 2: the parts of DRMN."""
    return Study(name="table2", rows=TABLE_2, comparisons=_STEPS_2)


def table_3() -> Study:
    """Table 3: the parts of the dual attention block."""
    return Study(name="table3", rows=TABLE_3, comparisons=_STEPS_3)


def _sweep_of(name: str, path: str, values: tuple[Scalar, ...]) -> Study:
    """Rows of the recipe as given, with both branches, so that any part of it may be left out."""
    rows = tuple(
        Variant(name=f"{name}={value}", overrides={**_BOTH_BRANCHES, path: value})
        for value in values
    )
    return Study(name=name, rows=rows, part="validation", swept=path)


def lambda_gc() -> Study:
    """Fig. 6; with a frozen backbone the attribute branch cannot depend on it."""
    return _sweep_of("lambda_gc", LAMBDA_GC, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))


def lambda_sc() -> Study:
    """Sensitivity to the weight of self-calibration."""
    return _sweep_of("lambda_sc", LAMBDA_SC, (0.0, 0.005, 0.02, 0.05, 0.1, 0.2))


def gamma() -> Study:
    """Sensitivity to the radius of the hypersphere."""
    return _sweep_of("gamma", GAMMA, (3.0, 4.0, 5.0, 6.0, 8.0, 10.0))


def beta() -> Study:
    """Fig. 7: all values from one training's logits."""
    return _sweep_of("beta", BETA, tuple(tenth / 10 for tenth in range(11)))


STUDIES: dict[str, Callable[[], Study]] = {
    "paper": paper,
    "table2": table_2,
    "table3": table_3,
    "lambda_gc": lambda_gc,
    "lambda_sc": lambda_sc,
    "gamma": gamma,
    "beta": beta,
}


def known_study(name: str) -> Study:
    """The study called ``name``.

    Raises:
        ConfigError: there is none; the message lists them.
    """
    if name not in STUDIES:
        raise ConfigError(
            f"unknown study {name!r}; known: {', '.join(STUDIES)}, or a .yaml or .py file",
        )
    return STUDIES[name]()
