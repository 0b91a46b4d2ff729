"""Swift's cache in the memory of its one proxy process, in memcached's place."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Application = Callable[[dict[str, Any], Any], Any]


class MemoryCache:
    """The part of Swift's MemcacheRing that its proxy calls."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Any, float]] = {}

    def get(self, key: str, **_options: object) -> Any:
        value, end = self._entries.get(key, (None, float("inf")))
        if time.time() < end:
            return value
        del self._entries[key]
        return None

    def set(self, key: str, value: Any, time: float = 0, **_options: object) -> None:
        self._entries[key] = (value, _now() + time if time else float("inf"))

    def incr(self, key: str, delta: int = 1, time: float = 0, **_options: object) -> int:
        value = max(0, int(self.get(key) or 0) + int(delta))
        self.set(key, value, time=time)
        return value

    def decr(self, key: str, delta: int = 1, time: float = 0, **_options: object) -> int:
        return self.incr(key, -delta, time)

    def delete(self, key: str, **_options: object) -> None:
        self._entries.pop(key, None)

    def set_multi(self, mapping: Mapping[str, Any], time: float = 0, **_options: object) -> None:
        for key, value in mapping.items():
            self.set(key, value, time=time)

    def get_multi(self, keys: Sequence[str], **_options: object) -> list[Any]:
        return [self.get(key) for key in keys]


def _now() -> float:
    return time.time()


def filter_factory(
    _global_conf: Mapping[str, str], **_conf: str
) -> Callable[[Application], Application]:
    """Paste's way to a WSGI filter: every request finds the one cache in its environment."""
    cache = MemoryCache()

    def wrap(application: Application) -> Application:
        def answer(environment: dict[str, Any], start: Any) -> Any:
            environment.setdefault("swift.cache", cache)
            return application(environment, start)

        return answer

    return wrap
