"""YAML that a person wrote: plain values, each key once, nothing that grows as it is read.

Anchors are refused: a few lines of them stand for more values than any memory holds, and a message
that shows one of them would never end.
"""

from pathlib import Path
from typing import Any

import yaml

from drmn.errors import ConfigError

MAX_BYTES = 1_000_000
_MAX_DEPTH = 50
_MAX_SHOWN = 200


class _PlainLoader(yaml.SafeLoader):
    """Without anchors, tags of classes, repeated keys and endless nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused("anchors and aliases (& and *) are not read here", event.start_mark)
        if self._depth == _MAX_DEPTH:
            raise _refused(f"it is nested more than {_MAX_DEPTH} deep", event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        known = set()
        for name, _ in node.value:
            if name.value in known and isinstance(name, yaml.ScalarNode):
                raise _refused(f"the key {shown(name.value)} is given twice", name.start_mark)
            known.add(name.value if isinstance(name, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path, remedy: str = "") -> Any:
    """What a file holds: texts, numbers, lists and mappings.

    Raises:
        ConfigError: it cannot be read, is too large, no YAML or more than plain values.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: has over {MAX_BYTES} bytes, too many for settings", remedy)
        loader = _PlainLoader(path.read_text(encoding="utf-8"))
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except ConfigError:
        raise
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error})", remedy) from error
    except (ValueError, OverflowError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:_MAX_SHOWN]
        raise ConfigError(
            f"{path}: cannot be read, for it is not YAML of plain values ({reason})", remedy
        ) from error


def shown(value: object) -> str:
    """``repr`` of a value for a message, not longer than a few lines."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def _refused(reason: str, mark: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, reason, mark)
