"""Dotted paths over a tree of frozen dataclasses: replace, list, parse, with typed errors."""

import dataclasses
import difflib
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from drmn.errors import ConfigError

Scalar = bool | int | float | str | None


def nested(overrides: Mapping[str, Scalar]) -> dict[str, Any]:
    """``{"a.b": 1}`` -> ``{"a": {"b": 1}}``.

    Raises:
        ConfigError: a path and its own parent are both given.
    """
    tree: dict[str, Any] = {}
    for path, value in overrides.items():
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigError(f"{path!r} is given beside an override of its parent")
        node[leaf] = value
    return tree


def parse_value(root: type, path: str, raw: str) -> Scalar:
    """``raw`` as the type of the field at ``path``: text fields keep it, others read JSON."""
    texts = [o for o in _options(_annotation(root, path)) if o is str or _is_literal(o)]
    if any(option is str or raw in typing.get_args(option) for option in texts):
        return raw
    words: dict[str, Scalar] = {"none": None, "null": None, "true": True, "false": False}
    if raw.lower() in words:
        return words[raw.lower()]
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):  # a number of 5,000 digits, brackets a thousand deep
        return raw
    return value if isinstance(value, int | float | str) else raw


def replace_tree(node: Any, tree: Mapping[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(type(node))
    changes: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if name not in hints:
            raise ConfigError(*_unknown_path(path, name, list(hints)))
        current = getattr(node, name)
        if dataclasses.is_dataclass(current):
            if not isinstance(value, Mapping):
                raise ConfigError(f"{path!r} is a group of settings, but got the value {value!r}")
            changes[name] = replace_tree(current, value, f"{path}.")
        else:
            changes[name] = _coerce(path, value, hints[name])
    return dataclasses.replace(node, **changes)


def _unknown_path(path: str, name: str, siblings: list[str]) -> tuple[str, str]:
    close = difflib.get_close_matches(name, siblings, n=1)
    hint = f"did you mean {close[0]!r}?" if close else "use one of these"
    return f"unknown setting {path!r}; valid here: {', '.join(sorted(siblings))}", hint


def _coerce(path: str, value: Any, hint: Any) -> Scalar:
    """``value`` as the field's type; an int is taken for a float, nothing else is converted."""
    options = _options(hint)
    for option in options:
        if _is_literal(option):
            if value in typing.get_args(option):
                return typing.cast(Scalar, value)
        elif option is float and type(value) in (int, float):
            if math.isfinite(value):
                return float(value)
        elif type(value) is option:
            return typing.cast(Scalar, value)
    raise ConfigError(f"the value of {path!r} is {value!r}, but must be {_describe(options)}")


def _describe(options: tuple[Any, ...]) -> str:
    def one(option: Any) -> str:
        if _is_literal(option):
            return "one of " + ", ".join(map(repr, typing.get_args(option)))
        return {float: "a finite number", int: "an integer", bool: "true or false"}.get(
            option, "none" if option is types.NoneType else "text"
        )

    return " or ".join(one(option) for option in options)


def leaves(node: Any, prefix: str) -> list[tuple[str, Scalar]]:
    pairs: list[tuple[str, Scalar]] = []
    for item in dataclasses.fields(node):
        value = getattr(node, item.name)
        if dataclasses.is_dataclass(value):
            pairs += leaves(value, f"{prefix}{item.name}.")
        else:
            pairs.append((f"{prefix}{item.name}", value))
    return pairs


def _annotation(root: type, path: str) -> Any:
    """The annotation at a dotted path, or None where the path is unknown."""
    kind: Any = root
    for part in path.split("."):
        if not dataclasses.is_dataclass(kind):
            return None
        kind = typing.get_type_hints(typing.cast(type, kind)).get(part)
    return kind


def _options(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _is_literal(option: Any) -> bool:
    return typing.get_origin(option) is Literal
