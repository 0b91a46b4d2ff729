"""What a line of a ledger may hold."""

from typing import Any

from orchestration.events import Fate


def checked_entry(entry: Any) -> dict[str, Any]:
    """``entry``, if it is one that a ledger writes.

    Raises:
        ValueError: an entry has another type, or an unknown fate.
        TypeError: it is no mapping.
    """
    if not isinstance(entry, dict):
        raise TypeError(f"it is {type(entry).__name__}, but must be a mapping")
    if "trial" in entry:
        _check(entry, {"trial": str})
    if "overrides" in entry:
        _check(entry, {"trial": str, "overrides": dict})
    elif "change" in entry:
        _check(entry, {"trial": str, "change": dict})
        _check(entry["change"], {"epoch": int, "donor": str, "overrides": dict})
    elif "epoch" in entry:
        _check(entry, {"trial": str, "epoch": int, "metrics": dict})
        _check(entry["metrics"], dict.fromkeys(entry["metrics"], (int, float)))
    elif "fate" in entry:
        _check(entry, {"trial": str, "fate": str, "last_epoch": int, "reason": str})
        Fate(entry["fate"])
    elif "attempt" not in entry:
        raise ValueError(f"it has the entries {', '.join(sorted(entry))[:100] or 'none'}")
    return entry


def _check(entry: dict[str, Any], kinds: dict[str, Any]) -> None:
    for name, kind in kinds.items():
        if not isinstance(entry.get(name), kind):
            raise ValueError(f"{name} is {type(entry.get(name)).__name__} there")
