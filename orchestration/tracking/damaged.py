"""What an event in a spool must hold: the file lies on a disk, and anything may have changed it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

Event = Mapping[str, Any]
_NUMBER = (int, float)
_ENTRIES: dict[str, dict[str, Any]] = {
    "open": {"name": str, "tags": dict, "time_ms": _NUMBER},
    "metrics": {"values": dict, "step": int, "time_ms": _NUMBER},
    "params": {"values": dict},
    "tags": {"values": dict},
    "dataset": {"fields": dict, "context": str},
    "close": {"status": str, "time_ms": _NUMBER},
    "file": {"copy": str},
}
"""By kind: the entries it needs, and their types."""


def usable(
    events: Iterable[Event], refused: Callable[[Event, str], None], kind: str = ""
) -> Iterator[Event]:
    """Those that can be delivered; of others ``refused`` is told. ``kind``: of those without."""
    for event in events:
        if fault := fault_of({"kind": kind, **event} if kind else event):
            refused(event, fault)
        else:
            yield event


def fault_of(event: Event) -> str:
    """Why an event cannot be delivered; "" where nothing is wrong with its form."""
    kind, run = event.get("kind"), event.get("run")
    if not isinstance(kind, str) or not isinstance(run, str):
        return "an event that says not of which run it is, and what"
    for name, wanted in _ENTRIES.get(kind, {}).items():
        if not isinstance(event.get(name), wanted):
            return f"an event of the kind {kind!r} whose {name} is {type(event.get(name)).__name__}"
    if kind == "open" and not isinstance(event.get("parent", 0), str | None):
        return "an event of the kind 'open' whose parent is no name"
    if kind == "metrics" and not all(isinstance(v, _NUMBER) for v in event["values"].values()):
        return "an event of the kind 'metrics' with a value that is no number"
    if kind == "file" and (PurePath(event["copy"]).is_absolute() or ".." in event["copy"]):
        return "an event of the kind 'file' whose copy lies elsewhere"
    return ""
