"""A user's own study, from YAML or Python.

YAML::

    name: sit-heads
    part: validation            # or test (the default)
    rows:
      - {name: four heads, set: {model.sit.heads: 4}}
      - {name: eight heads, set: {model.sit.heads: 8}}
    compare:                    # optional; default: each row with the first
      - {part: more heads, without: four heads, with: eight heads}

A Python file defines ``STUDY``, a :class:`orchestration.study.definition.Study`.
"""

import runpy
from pathlib import Path
from typing import Any

from drmn.config import Config
from drmn.errors import ConfigError
from drmn.variants import Variant
from orchestration.plain_yaml import read_yaml, shown
from orchestration.study.catalogue import known_study
from orchestration.study.definition import Comparison, Study

_KEYS = {"name", "part", "rows", "compare", "swept"}


def read_study(text: str) -> Study:
    """A study by name, or from the ``.yaml`` or ``.py`` file at ``text``.

    Raises:
        ConfigError: no such study or file, or its content breaks a rule; settings are checked.
    """
    path = Path(text)
    if path.suffix not in (".yaml", ".yml", ".py"):
        return known_study(text)
    if not path.is_file():
        raise ConfigError(f"there is no study file {path}")
    try:
        study = _from_python(path) if path.suffix == ".py" else _from_yaml(path)
        for row in study.rows:
            row.apply(Config())
    except ConfigError as error:
        if str(path) in error.message:
            raise
        raise ConfigError(f"{path}: {error.message}", error.remedy) from error
    return study


def _from_python(path: Path) -> Study:
    study = runpy.run_path(str(path)).get("STUDY")
    if not isinstance(study, Study):
        raise ConfigError(
            f"{path} defines STUDY as {type(study).__name__}, but it must be a Study",
            "from orchestration.study.definition import Study; STUDY = Study(...)",
        )
    return study


def _from_yaml(path: Path) -> Study:
    content = read_yaml(path, "see docs/own-variant.md for the form of a study's file")
    _check_keys(path, "the file", content, allowed=_KEYS, needed={"rows"})
    if not isinstance(content["rows"], list):
        raise ConfigError(f"{path}: `rows` must be a list of name and set")
    return Study(
        name=str(content.get("name", path.stem)),
        rows=tuple(_row(path, row) for row in content["rows"]),
        comparisons=tuple(_comparison(path, pair) for pair in content.get("compare") or ()),
        part=content.get("part", "test"),
        swept=content.get("swept"),
    )


def _row(path: Path, row: Any) -> Variant:
    _check_keys(path, "a row", row, allowed={"name", "set"}, needed={"name"})
    overrides = row.get("set") or {}
    if not isinstance(overrides, dict):
        raise ConfigError(f"{path}: `set` of row {row['name']!r} must map settings to values")
    return Variant(name=str(row["name"]), overrides=overrides)


def _comparison(path: Path, pair: Any) -> Comparison:
    keys = {"part", "without", "with"}
    _check_keys(path, "a comparison", pair, allowed=keys, needed=keys)
    return Comparison(
        part=str(pair["part"]), without=str(pair["without"]), with_it=str(pair["with"])
    )


def _check_keys(path: Path, what: str, found: Any, *, allowed: set[str], needed: set[str]) -> None:
    if not isinstance(found, dict):
        raise ConfigError(
            f"{path}: {what} is {shown(found)}, but must have {', '.join(sorted(needed))}"
        )
    for key in found.keys() - allowed:
        raise ConfigError(
            f"{path}: {what} has the key {shown(key)}, but only {', '.join(sorted(allowed))} mean "
            "something"
        )
    for key in needed - found.keys():
        raise ConfigError(f"{path}: {what} lacks the key {key!r}")
