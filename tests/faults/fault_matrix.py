"""Every write of an operation fails once in turn; after a restart, all must be as it should be.

Runs with write_faults.c preloaded: everything is imported once, and each attempt is a fork.
"""

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from write_faults import Fault, WriteFaults

from drmn.errors import DrmnError
from orchestration.terminal.disk import disk_trouble

LIMIT_S = 20
Told = Callable[[str], None]
"""Is called with what has been acknowledged: from then on, it must not be lost."""


class Writer(Protocol):
    """An operation of the product that writes.

    ``work`` is given again after each death, as a user gives a command again; ``check`` looks at
    what a death has left before that, and ``check_end`` at what there is when all is done.
    """

    name: str
    port: int
    """Of a server whose connections are watched too; 0: none."""

    def prepare(self, folder: Path) -> None: ...
    def work(self, folder: Path, told: Told) -> None: ...
    def check(self, folder: Path, told: Sequence[str]) -> None: ...
    def check_end(self, folder: Path) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One fault at one write point, and what came of it."""

    writer: str
    fault: str
    at: int
    label: str
    """The call that failed, and its file's name."""
    ended: str
    """killed, survived (it went on as if nothing had happened), or told (a clear error)."""
    broken: str
    """What was not as it should be; "" where it was survived."""


@dataclass
class Life:
    """What a forked process left: what it told, and its last word."""

    told: list[str]
    word: str
    """done, told, bug; "" where it died."""
    text: str
    signal: int


class Matrix:
    """Args: folder: scratch space; faults: the state shared with the preloaded library."""

    def __init__(self, folder: Path, faults: WriteFaults) -> None:
        self._folder = folder
        self._faults = faults
        self._number = 0
        self._seen = faults.seen()

    def num_points(self, writer: Writer) -> int:
        """Writes of one undisturbed operation.

        Raises:
            AssertionError: it does not even work without a fault.
        """
        folder = self._prepared(writer)
        life = self._live(writer, folder, Fault.COUNT, 0)
        assert life.word == "done", f"{writer.name} without a fault: {life.text}"
        count = self._seen.num_points
        broken = self._restarted(writer, folder, life.told)
        assert not broken, f"{writer.name} without a fault: {broken}"
        return count

    def attempts(
        self, writer: Writer, faults: Sequence[Fault], points: Sequence[int]
    ) -> Iterator[Attempt]:
        """Each of ``faults`` at each of ``points`` where it can happen."""
        for fault in faults:
            for at in points:
                if attempt := self._attempt(writer, fault, at):
                    yield attempt

    def _attempt(self, writer: Writer, fault: Fault, at: int) -> Attempt | None:
        """None where the call cannot fail in that way: a removal needs no room."""
        folder = self._prepared(writer)
        life = self._live(writer, folder, fault, at)
        call, _, path = self._seen.label.partition(" ")
        if not self._seen.has_fired:
            shutil.rmtree(folder)
            return None
        ended, broken = _judged(life, fault)
        broken = broken or self._restarted(writer, folder, life.told)
        shutil.rmtree(folder, ignore_errors=True)
        return Attempt(
            writer=writer.name,
            fault=fault.name.lower(),
            at=at,
            label=f"{call} {Path(path).name}".strip(),
            ended=ended,
            broken=broken,
        )

    def _prepared(self, writer: Writer) -> Path:
        self._number += 1
        folder = self._folder / f"{writer.name}-{self._number}"
        folder.mkdir(parents=True)
        writer.prepare(folder)
        return folder

    def _live(self, writer: Writer, folder: Path, fault: Fault, at: int) -> Life:
        self._faults.arm(folder, fault, at, writer.port)
        life = forked(lambda told: writer.work(folder, told))
        self._seen = self._faults.seen()
        self._faults.disarm()
        return life

    def _restarted(self, writer: Writer, folder: Path, told: list[str]) -> str:
        """What is wrong after a restart, in a new process; "" for nothing."""

        def again(_: Told) -> None:
            writer.check(folder, told)
            writer.work(folder, lambda _: None)
            writer.check_end(folder)

        life = forked(again)
        return "" if life.word == "done" else f"after a restart: {life.text or life}"


def _judged(life: Life, fault: Fault) -> tuple[str, str]:
    if life.word == "bug":
        return "bug", life.text
    if life.word:
        return ("survived", "") if life.word == "done" else ("told", "")
    if life.signal == signal.SIGKILL and fault.is_death:
        return "killed", ""
    return "hung" if life.signal == signal.SIGALRM else "died", f"died of signal {life.signal}"


def forked(action: Callable[[Told], None]) -> Life:
    """``action`` in a process of its own; it may die at any time."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(read_end)
        _act(action, write_end)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        lines = [json.loads(line) for line in pipe if line.endswith("\n")]
    _, status = os.waitpid(child, 0)
    words = [line for line in lines if "word" in line]
    return Life(
        told=[line["told"] for line in lines if "told" in line],
        word=words[0]["word"] if words else "",
        text=words[0]["text"] if words else "",
        signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
    )


def _act(action: Callable[[Told], None], pipe: int) -> None:
    def say(**content: Any) -> None:
        os.write(pipe, json.dumps(content).encode() + b"\n")

    signal.alarm(LIMIT_S)
    try:
        action(lambda what: say(told=what))
        say(word="done", text="")
    except DrmnError as error:
        say(word="told", text=str(error))
    except OSError as error:
        found = disk_trouble(error)
        text = str(found) if found else "".join(traceback.format_exception(error))
        say(word="told" if found else "bug", text=text)
    except BaseException as error:  # noqa: BLE001 - the parent judges it
        say(word="bug", text="".join(traceback.format_exception(error)))
    os._exit(0)


def chosen(num_points: int, every: int, first: int = 1) -> list[int]:
    """Points ``first``, ``first + every``, …"""
    return list(range(first, num_points + 1, every))


def run(
    matrix: Matrix, writers: Sequence[Writer], faults: Sequence[Fault], *, every: int = 1
) -> Iterator[dict[str, Any]]:
    """Each writer: its points, its attempts, the seconds it took."""
    for writer in writers:
        started = time.monotonic()
        num_points = matrix.num_points(writer)
        attempts = list(matrix.attempts(writer, faults, chosen(num_points, every)))
        yield {
            "writer": writer.name,
            "points": num_points,
            "attempts": [asdict(each) for each in attempts],
            "wall_s": round(time.monotonic() - started, 1),
        }


def say(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
