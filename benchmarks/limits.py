"""Signals, full, slow and read-only disks, clocks that jump, little memory.

Each befalls a small real command in a process and home of its own; then it is given again, and what
it finds is compared with an undisturbed one's. Disks are tmpfs mounts in a namespace of this
program's own, which needs root: without it those cases are left out, with the reason.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

from disturbed_commands import ABLATE, RECONCILE, RESUME, SWEEP, TRAIN, End, Home, copied, histories
from fault_conditions import conditions

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "faults" / "limits.json"
SHIMS = HERE / "shims"
_INSIDE = "DRMN_LIMITS_INSIDE"
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What befell a command, and what became of it."""

    what: str
    command: str
    code: int
    said: str
    has_traceback: bool
    num_left: int
    then: str
    """What was done next."""
    is_equal: bool | None
    """Whether the result equals an undisturbed one's; None where there is none to compare."""


def row(what: str, command: list[str], end: End, then: str, is_equal: bool | None) -> Row:
    """Of a command that ended."""
    return Row(
        what=what,
        command=" ".join(command[:2]) if command[0] == "drmn" else command[0],
        code=end.code,
        said=end.said.strip()[-600:],
        has_traceback=end.has_traceback,
        num_left=len(end.left),
        then=then,
        is_equal=is_equal,
    )


class Cases:
    """All of them, each in a folder of its own below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._places: list[str] = []
        self._plain = Home(path=root / "undisturbed")
        self._plain.path.mkdir()
        end = self._plain.run(SWEEP)
        assert end.code == 0, end.said
        self._result = self._plain.result()
        self._scores = self._trained(self._plain, [])

    def all(self) -> list[Callable[[], Row]]:
        """In their order."""
        disks = [self.full_disk, self.read_only_home, self.full_from_the_start, self.read_only_data]
        others = [self.little_memory, self.clock_jumps, self.signalled_study, self.slow_disk]
        signals: list[Callable[[], Row]] = []
        signals += [lambda n=number: self.signalled_training(n) for number in SIGNALS]
        signals += [lambda: self.signalled_sweep(signal.SIGHUP)]
        return [*(disks if os.environ.get(_INSIDE) else []), *others, *signals]

    def signalled_sweep(self, number: signal.Signals) -> Row:
        """After two epochs."""
        home = self._home(f"sweep-{number.name}")
        end = home.signalled(SWEEP, number, 2)
        return self._resumed(number.name, SWEEP, home, end)

    def signalled_training(self, number: signal.Signals) -> Row:
        """After three epochs."""
        home = self._home(f"train-{number.name}")
        command = [*TRAIN, "--out", str(home.path / "run")]
        end = home.signalled(command, number, 3)
        is_equal = self._trained(home, ["--resume"]) == self._scores
        return row(number.name, TRAIN, end, "--resume", is_equal)

    def signalled_study(self) -> Row:
        """After its first training."""
        home = self._home("study")
        end = home.signalled(ABLATE, signal.SIGTERM, 1)
        again, plain = home.run(ABLATE), self._home("plain-study")
        assert plain.run(ABLATE).code == 0
        is_equal = histories(home) == histories(plain)
        return row("SIGTERM", ABLATE, end, f"given again: {again.code}", is_equal)

    def slow_disk(self) -> Row:
        """Each sync takes a twentieth of a second more."""
        home = self._home("slow", more={"PYTHONPATH": self._shim("slow_sync")})
        end = home.run(SWEEP)
        return row("each fsync takes 50 ms", SWEEP, end, "", home.result() == self._result)

    def clock_jumps(self) -> Row:
        """The wall clock goes an hour ahead and two back, in turn, every second."""
        home = self._home("clock", more={"PYTHONPATH": self._shim("jumping_clock")})
        end = home.run([*SWEEP, "--budget", "30m"])
        books = home.run(RECONCILE)
        what = "the clock jumps by up to 3 h each second"
        return row(what, SWEEP, end, f"reconcile: {books.code}", home.result() == self._result)

    def little_memory(self) -> Row:
        """Address space for the program and not for its work."""
        home = self._home("memory", before=("prlimit", "--as=2000000000"))
        end = home.run([*TRAIN, "--out", str(home.path / "run")])
        home.before = ()
        again = ["--resume"] if any((home.path / "run").glob("*")) else []
        is_equal = self._trained(home, again) == self._scores
        return row("2 GB of address space", TRAIN, end, "given again without limit", is_equal)

    def full_disk(self) -> Row:
        """No room after two epochs; then there is."""
        home = self._mounted("full", "size=400m")
        process = home.start(SWEEP)
        home.wait_for_epochs(process, 2)
        ballast = home.path / "ballast"
        fill(ballast)
        end = home.end(process)
        ballast.unlink()
        return self._resumed("the disk is full after 2 epochs", SWEEP, home, end)

    def full_from_the_start(self) -> Row:
        """Room for the data and little else."""
        home = self._mounted("full-at-once", "size=400m")
        ballast = home.path / "ballast"
        fill(ballast)
        with ballast.open("r+b") as file:
            file.truncate(ballast.stat().st_size - 2**18)
        end = home.run(SWEEP)
        ballast.unlink()
        return self._resumed("256 KiB are left when it begins", SWEEP, home, end)

    def read_only_home(self) -> Row:
        """Nothing can be written."""
        home = self._mounted("read-only", "size=400m")
        subprocess.run(["mount", "-o", "remount,ro", str(home.path)], check=True)
        end = home.run(SWEEP)
        subprocess.run(["mount", "-o", "remount,rw", str(home.path)], check=True)
        again = home.run(SWEEP)
        then = f"given again, writable: {again.code}"
        return row("DRMN_HOME is read-only", SWEEP, end, then, home.result() == self._result)

    def read_only_data(self) -> Row:
        """Data and features can be read and not written; that is no reason to fail."""
        home = self._home("read-only-data")
        for name in ("data", "cache"):
            place = str(home.path / name)
            subprocess.run(["mount", "--bind", place, place], check=True)
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
            self._places.append(place)
        end = home.run(SWEEP)
        what = "data and features are read-only"
        return row(what, SWEEP, end, "", home.result() == self._result)

    def close(self) -> None:
        """Unmount all that was mounted, so that it can be removed."""
        for place in self._places:
            subprocess.run(["umount", place], check=True)

    def _resumed(self, what: str, command: list[str], home: Home, end: End) -> Row:
        again = home.run(RESUME)
        is_equal = home.result() == self._result
        return row(what, command, end, f"runs resume: {again.code}", is_equal)

    def _trained(self, home: Home, more: list[str]) -> object:
        out = home.path / "run"
        end = home.run([*TRAIN, "--out", str(out), *more])
        assert end.code == 0, end.said
        return json.loads((out / "scores.json").read_text())["scores"]

    def _home(self, name: str, **more: object) -> Home:
        return copied(self._plain, self._root / name, **more)

    def _mounted(self, name: str, options: str) -> Home:
        path = self._root / name
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=True)
        self._places.append(str(path))
        return copied(self._plain, path)

    def _shim(self, name: str) -> str:
        return os.pathsep.join([str(SHIMS / name), os.environ.get("PYTHONPATH", "")])


def fill(ballast: Path) -> None:
    """Leave no byte on its disk."""
    command = ["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"]
    subprocess.run(command, capture_output=True, check=False)


def enter_namespace() -> None:
    """Become a process with mounts of its own, where that is allowed."""
    is_allowed = os.geteuid() == 0 and shutil.which("unshare")
    probe = ["unshare", "-m", "true"]
    if is_allowed and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
        os.environ[_INSIDE] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--logs", type=Path, help="folder for all that commands say")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if not os.environ.get(_INSIDE):
        enter_namespace()
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also below `nohup`
    rows = []
    with tempfile.TemporaryDirectory(prefix="drmn-limits-") as folder, ExitStack() as stack:
        cases = stack.enter_context(closing(Cases(Path(folder))))
        for case in cases.all():
            name = getattr(case, "__name__", "signal")
            if arguments.only in name:
                began = time.monotonic()
                rows.append(asdict(case()))
                print(f"{time.monotonic() - began:.0f} s", json.dumps(rows[-1]), flush=True)
                _write(arguments.output, rows)
                for log in Path(folder).glob("*.log") if arguments.logs else ():
                    shutil.copy(log, arguments.logs)


def _write(output: Path, rows: list[dict[str, object]]) -> None:
    content = {**conditions(), "has_mounts": bool(os.environ.get(_INSIDE)), "rows": rows}
    output.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
