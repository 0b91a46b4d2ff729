"""All checks side by side, each within its time; none brings the others down."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from drmn.errors import DrmnError
from drmn.places import without_password
from orchestration.doctor.finding import Check, Finding, Level, bad
from orchestration.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A check and what it found."""

    name: str
    findings: list[Finding]

    @property
    def level(self) -> Level:
        """The worst of them."""
        levels = [each.level for each in self.findings]
        return next((each for each in reversed(Level) if each in levels), Level.GOOD)


def examine(checks: Sequence[Check], settings: Settings) -> Iterator[Examined]:
    """In the order of ``checks``; one that fails or takes too long is a finding itself."""
    began_s = time.monotonic()
    running = [_begin(check, settings) for check in checks]
    for check, future in zip(checks, running, strict=True):
        left_s = max(0.0, began_s + check.limit_s - time.monotonic())
        yield Examined(name=check.name, findings=_outcome(check, future, left_s))


def _begin(check: Check, settings: Settings) -> Future[list[Finding]]:
    """In a thread that holds nobody up: what never ends is left behind at exit."""
    future: Future[list[Finding]] = Future()

    def look() -> None:
        with _Catching(future):
            future.set_result(check.look(settings))

    threading.Thread(target=look, name=f"doctor-{check.name}", daemon=True).start()
    return future


class _Catching:
    """Hands whatever is raised inside to a future."""

    def __init__(self, future: Future[list[Finding]]) -> None:
        self._future = future

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if error is not None:
            self._future.set_exception(error)
        return True


def _outcome(check: Check, future: Future[list[Finding]], left_s: float) -> list[Finding]:
    try:
        error = future.exception(timeout=left_s)
    except TimeoutError:
        return [bad(f"no answer within {check.limit_s:g} s", "see whether its server hangs")]
    if error is None:
        return future.result()
    if isinstance(error, DrmnError):
        return [bad(error.message, error.remedy)]
    reason = without_password(f"{type(error).__name__}: {error}")
    return [bad(f"could not be checked: {reason}", "report this with the output of `drmn -v`")]
