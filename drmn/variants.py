"""The rows of Tables 2 and 3 as named lists of overrides over a preset.

A row states every switch, so rows differ from each other by exactly what is written here.
"""

from dataclasses import dataclass

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.errors import ConfigError

_MFF = "model.fusion.enabled"
_ACA = "model.channel_attention.enabled"
_SIT = "model.sit.enabled"
_GLOBAL = "model.global_branch.enabled"
_ENSEMBLE = "inference.ensemble"
_SWITCHES = (_MFF, _ACA, _SIT, _GLOBAL, _ENSEMBLE)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A named row of an ablation."""

    name: str
    overrides: dict[str, Scalar]

    def apply(self, config: Config) -> Config:
        """``config`` with this row's overrides."""
        return config.with_overrides(self.overrides)


def _row(name: str, *switched_on: str) -> Variant:
    return Variant(name=name, overrides={path: path in switched_on for path in _SWITCHES})


BASELINE = _row("baseline")
MFF = _row("+MFF", _MFF)
ACA = _row("+ACA", _ACA)
DAB = _row("+DAB", _MFF, _ACA)
SIT = _row("+SIT", _SIT)
DAB_SIT = _row("+DAB+SIT", _MFF, _ACA, _SIT)
GLOBAL = _row("+global", _MFF, _ACA, _SIT, _GLOBAL)
ENSEMBLE = _row("+ensemble", _MFF, _ACA, _SIT, _GLOBAL, _ENSEMBLE)

TABLE_2 = (BASELINE, DAB, SIT, DAB_SIT, GLOBAL, ENSEMBLE)
TABLE_3 = (BASELINE, MFF, ACA, DAB)
VARIANTS = {row.name: row for row in (*TABLE_2, MFF, ACA)}


def variant(name: str) -> Variant:
    """The row called ``name``.

    Raises:
        ConfigError: there is no such row; the message lists them.
    """
    if name not in VARIANTS:
        raise ConfigError(f"unknown variant {name!r}; known: {', '.join(VARIANTS)}")
    return VARIANTS[name]
