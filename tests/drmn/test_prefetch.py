"""Reading ahead keeps the order, overlaps with the caller and passes errors on."""

import threading
import time

import pytest

from drmn.prefetch import Prefetch


def test_items_come_in_order_with_their_keys():
    assert list(Prefetch(range(5), lambda key: key * 10)) == [(key, key * 10) for key in range(5)]
    assert list(Prefetch([], lambda key: key)) == []


def test_the_next_item_is_read_while_the_caller_works():
    second_read = threading.Event()

    def read(key: int) -> int:
        if key == 1:
            second_read.set()
        return key

    for key, _ in Prefetch(range(3), read):
        if key == 0:
            assert second_read.wait(timeout=5.0)


def test_only_the_callers_waiting_is_counted():
    def read(key: int) -> int:
        time.sleep(0.02)
        return key

    idle = Prefetch(range(4), read)
    for _ in idle:
        pass
    busy = Prefetch(range(4), read)
    for _ in busy:
        time.sleep(0.05)
    assert idle.waited_s > 0.06
    assert busy.waited_s < 0.04


def test_an_error_reaches_the_caller_at_its_item():
    def read(key: int) -> int:
        if key == 2:
            raise OSError("broken image")
        return key

    seen = []
    with pytest.raises(OSError, match="broken image"):
        for key, _ in Prefetch(range(5), read):
            seen.append(key)
    assert seen == [0, 1]


def test_an_abandoned_iteration_ends_its_thread():
    iteration = iter(Prefetch(range(100), lambda key: key))
    next(iteration)
    iteration.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("drmn-read")]
