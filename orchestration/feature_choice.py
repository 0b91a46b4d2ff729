"""``--features``: levels that are there already, in place of an extraction."""

from dataclasses import dataclass
from pathlib import Path

from drmn.config_tree import Scalar
from drmn.data.store.given_features import GIVEN
from drmn.errors import ConfigError

GIVEN_WORD = "given"


@dataclass(frozen=True, kw_only=True)
class FeatureChoice:
    """Attributes:
    store: where a published store lies; None: features are extracted, or given.
    weights: the value of ``backbone.weights``; None: the preset's.
    """

    store: str | None
    weights: str | None

    @classmethod
    def of(cls, features: str | None, weights: str | None) -> "FeatureChoice":
        """From the options ``--features`` and ``--weights``.

        Raises:
            ConfigError: they contradict each other, or a credential is written in the place.
        """
        if features == GIVEN_WORD:
            if weights not in (None, GIVEN):
                raise ConfigError(
                    f"--features {GIVEN_WORD} takes those of {GIVEN}, but --weights is {weights!r}",
                    "leave one of them out",
                )
            return cls(store=None, weights=GIVEN)
        if features is None:
            return cls(store=None, weights=weights)
        if "://" not in features:
            return cls(store=str(Path(features).resolve()), weights=weights)
        if "@" in features.partition("?")[0]:
            raise ConfigError(
                "--features has credentials in it, which would be kept with the run",
                "give them in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            )
        return cls(store=features, weights=weights)

    @property
    def chosen(self) -> dict[str, Scalar]:
        """As a choice for the configuration."""
        return {"backbone.weights": self.weights}
