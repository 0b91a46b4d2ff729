"""Configurations that a user wants tried first, from a YAML file."""

from collections.abc import Mapping
from pathlib import Path

from drmn.config_tree import Scalar
from drmn.errors import ConfigError
from orchestration.plain_yaml import read_yaml, shown
from search_spaces.domain import Choice, SearchSpace

_FORMAT = "write a YAML list with one mapping per trial, such as `- {lambda_sc: 0.1, beta: 0.3}`"


def read_enqueued(
    path: Path, space: SearchSpace, preset: Mapping[str, Scalar]
) -> tuple[dict[str, Scalar], ...]:
    """Each entry as values of every path of ``space``; ``preset`` gives what it leaves out.

    A path may be shortened to its last part. Where ``preset`` lies outside the space, the sampler
    draws what an entry leaves out.

    Raises:
        ConfigError: no such file, not a list of mappings, an unknown path, or a value outside.
    """
    return tuple(
        {
            **{p: preset[p] for p, domain in space.items() if domain.contains(preset[p])},
            **_values(f"{path}, entry {number}", entry, space),
        }
        for number, entry in enumerate(_entries(path), start=1)
    )


def _entries(path: Path) -> list[object]:
    content = read_yaml(path, _FORMAT)
    if not isinstance(content, list) or not content:
        raise ConfigError(f"{path}: holds {type(content).__name__}, but must be a list", _FORMAT)
    return content


def _values(place: str, entry: object, space: SearchSpace) -> dict[str, Scalar]:
    if not isinstance(entry, dict) or not entry:
        raise ConfigError(f"{place}: is {shown(entry)}, but must map settings to values", _FORMAT)
    values: dict[str, Scalar] = {}
    for name, value in entry.items():
        path = _path(place, str(name), space)
        if path in values:
            raise ConfigError(f"{place}: {path} is given twice")
        domain = space[path]
        if not _is_scalar(value) or not domain.contains(value):
            raise ConfigError(f"{place}: {path} is {shown(value)}, but must be in {domain}")
        values[path] = value if isinstance(domain, Choice) else float(value)
    return values


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _path(place: str, name: str, space: SearchSpace) -> str:
    paths = [path for path in space if name in (path, path.rpartition(".")[2])]
    if len(paths) != 1:
        raise ConfigError(
            f"{place}: {shown(name)} is {len(paths)} of the searched settings, but must be one",
            f"use one of: {', '.join(space)}",
        )
    return paths[0]
