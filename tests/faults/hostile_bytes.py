"""What a file may turn into: damaged bytes, hostile values in its JSON, and well-known traps."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

DEEP = 100_000
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 10**30, 1e308, -1e308, float("nan"), float("inf"), "", "x", "../../canary",
    "/canary", "\0", "\ud800", "0" * 5_000, [], [[]], {}, {"x": 1}, ["x"] * 3, "drmn-model-1",
)  # fmt: skip
"""In place of any value of a JSON document."""


class Canary:
    """Unpickled, it makes a file: whoever runs a pickle is found out."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._file), "w")


def traps(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Whole files that have been somebody's undoing."""
    quoted = str(canary).encode()
    yield "empty", b""
    yield "zeros", b"\0" * 4096
    yield "not text", bytes(range(256)) * 4
    yield "pickle", pickle.dumps(Canary(canary))
    yield "old pickle", pickle.dumps(Canary(canary), protocol=0)
    yield "deep list", b"[" * DEEP + b"]" * DEEP + b"\n"
    yield "deep mapping", b'{"a":' * DEEP + b"\n"
    yield "deep flow", b"rows: " + b"[" * 5_000 + b"\n"
    yield "long number", b"[" + b"9" * 10_000 + b"]\n"
    yield "no mapping", b"[1, 2]\n"
    yield "a text", b'"x"\n'
    yield "null", b"null\n"
    yield "laughs", _laughs()
    yield "python tag", b'!!python/object/apply:builtins.open ["%s", "w"]\n' % quoted
    yield "python tag within", b'- {a: !!python/object/apply:builtins.open ["%s", w]}\n' % quoted
    yield "merge key", b"rows: &a [{name: x}]\nname: {<<: *a}\n"
    yield "a key twice", b"rows: []\nrows: []\n"
    yield "wrong date", b"- {beta: 2001-99-99}\n"
    yield "surrogates", b"\xed\xa0\x80\n"
    yield "one long line", b"a" * 300_000 + b"\n"
    yield "quote without end", b'class,"' + b"a" * 200_000
    yield "nul in a table", b"class,a\ncat,\0\n"
    yield "pack of zeros", b"PK\x05\x06" + b"\0" * 18


def _laughs() -> bytes:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join([*lines, "rows: *a11", ""]).encode()


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Places and bytes to put there; -1 cuts the file off, -2 repeats what is before it."""
    place = st.integers(0, 10**6)
    return draw(st.lists(st.tuples(place, st.integers(-2, 255)), min_size=1, max_size=6))


def damaged(data: bytes, damage: list[tuple[int, int]]) -> bytes:
    """``data`` with that done to it."""
    changed = bytearray(data)
    for place, value in damage:
        at = place % len(changed) if changed else 0
        if value >= 0 and changed:
            changed[at] = value
        elif value == -1:
            del changed[at:]
        elif value == -2:
            changed[at:at] = changed[max(0, at - 64) : at]
    return bytes(changed)


def is_json(data: bytes) -> bool:
    """Whether the whole, or every line, is JSON."""
    return _documents(data) is not None


def altered(data: bytes, place: int, value: Any, is_removed: bool) -> bytes:
    """JSON, or lines of it, with its value number ``place`` replaced or removed."""
    documents, separator = _documents(data) or ([], b"")
    spots = [spot for document in documents for spot in _spots(document)]
    if spots:
        holder, key = spots[place % len(spots)]
        if is_removed:
            del holder[key]
        else:
            holder[key] = value
    lines = [json.dumps(document).encode() for document in documents]
    return separator.join([*lines, b""]) if separator else b"".join(lines)


def _documents(data: bytes) -> tuple[list[Any], bytes] | None:
    try:
        return [json.loads(data)], b""
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in data.splitlines()], b"\n"
    except ValueError:
        return None


def _spots(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value, with what holds it."""
    if isinstance(node, dict | list):
        for key in range(len(node)) if isinstance(node, list) else list(node):
            yield node, key
            yield from _spots(node[key])


def alterations() -> st.SearchStrategy[tuple[int, Any, bool]]:
    """Arguments of :func:`altered`."""
    return st.tuples(st.integers(0, 10**6), st.sampled_from(VALUES), st.booleans())
