"""From a data set's name and a user's choices to a configuration."""

from collections.abc import Mapping, Sequence

from drmn.config import Config, parse_override
from drmn.config_tree import Scalar
from drmn.presets import preset
from drmn.variants import variant


def recipe(
    dataset: str,
    variant_name: str,
    chosen: Mapping[str, Scalar],
    overrides: Sequence[str] = (),
) -> Config:
    """The preset, then the variant's row, then ``chosen`` (None: not given), then ``overrides``.

    Raises:
        ConfigError: an unknown variant, path or value.
    """
    given = {path: value for path, value in chosen.items() if value is not None}
    config = variant(variant_name).apply(preset(dataset)).with_overrides(given)
    return config.with_overrides(dict(parse_override(text) for text in overrides))
