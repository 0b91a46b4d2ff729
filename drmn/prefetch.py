"""Reading ahead: while one batch is computed on, a background thread reads the next."""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


class Prefetch(Generic[Key, Item]):
    """Iterates ``(key, read(key))`` in order, with one reading always ahead of the caller.

    At most two items are held besides the caller's own. An exception in ``read`` reaches the
    caller at that item. The thread ends with the iteration, also one that is abandoned.

    Attributes:
        waited_s: seconds that the caller has waited for items.
    """

    def __init__(self, keys: Iterable[Key], read: Callable[[Key], Item]) -> None:
        self._keys = keys
        self._read = read
        self.waited_s = 0.0

    def __iter__(self) -> Iterator[tuple[Key, Item]]:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="drmn-read") as reader:
            ahead: list[tuple[Key, Future[Item]]] = []
            for key in self._keys:
                ahead.append((key, reader.submit(self._read, key)))
                if len(ahead) > 1:
                    yield self._next(ahead)
            while ahead:
                yield self._next(ahead)

    def _next(self, ahead: list[tuple[Key, Future[Item]]]) -> tuple[Key, Item]:
        key, reading = ahead.pop(0)
        asked = time.perf_counter()
        item = reading.result()
        self.waited_s += time.perf_counter() - asked
        return key, item
