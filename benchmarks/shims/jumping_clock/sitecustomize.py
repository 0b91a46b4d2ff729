"""Python imports this at its start: ``time.time`` is an hour ahead, then two behind, and right."""

import time

_JUMPS_S = (3600.0, -7200.0, 0.0)
_time = time.time


def _jumping() -> float:
    now = _time()
    return now + _JUMPS_S[int(now) % len(_JUMPS_S)]


time.time = _jumping
