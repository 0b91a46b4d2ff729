"""Commands as a user runs them, each in a process and a home of its own, and what they leave."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
TINY = ["--set", "training.steps_per_epoch=2", "--set", "data.image_size=32"]
SWEEP = ["drmn-sweep", "--dataset", "sprites", "--name", "s", "--trials", "3", "--epochs", "4"]
SWEEP += [*TINY, "--grace-period", "1", "--max-concurrent", "1", "--final-seeds", "1"]
SWEEP += ["--no-paper-final"]
RESUME = ["drmn", "runs", "resume", "s"]
RECONCILE = ["drmn", "runs", "reconcile", "s"]
ABLATE = ["drmn", "ablate", "--dataset", "sprites", "--study", "gamma", "--seeds", "1"]
ABLATE += ["--epochs", "2", *TINY, "--max-concurrent", "1", "--name", "g"]
TRAIN = ["drmn", "train", "--dataset", "sprites", *TINY, "--set", "training.epochs=10"]
LIMIT_S = 150.0
_OF_THE_MACHINE = ("time/", "cost/", "system/")
"""Prefixes of metrics that differ between two runs of the same."""
_GONE_S = 15.0


@dataclass(frozen=True, kw_only=True)
class End:
    """How a command ended; ``left`` names processes that outlived it."""

    code: int
    said: str
    left: list[str]

    @property
    def last_line(self) -> str:
        """The last that it said."""
        return (self.said.strip().splitlines() or [""])[-1]

    @property
    def has_traceback(self) -> bool:
        """Whether a user sees one."""
        return "Traceback (most recent call last)" in self.said


@dataclass(kw_only=True)
class Home:
    """A DRMN_HOME, and what else is in the environment of the commands in it."""

    path: Path
    more: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()
    """A command that runs the command, such as ``prlimit``."""
    num_runs: int = 0

    def run(self, command: Sequence[str], limit_s: float = LIMIT_S) -> End:
        """To its end."""
        return self.end(self.start(command), limit_s)

    def start(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        """In the background; what it says is kept."""
        self.num_runs += 1
        self._log = self.path.parent / f"{self.path.name}-{self.num_runs}.log"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DRMN_", "MLFLOW_"))}
        environment = {**kept, "DRMN_HOME": str(self.path), "OMP_NUM_THREADS": "1", **self.more}
        line = [*self.before, str(BIN / command[0]), *command[1:]]
        with self._log.open("w") as log:
            return subprocess.Popen(
                line, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def end(self, process: "subprocess.Popen[bytes]", limit_s: float = LIMIT_S) -> End:
        """Wait for it, and for what it started."""
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait(30)
        said, deadline = self._log.read_text(), time.monotonic() + _GONE_S
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        return End(code=code, said=said, left=left)

    def signalled(self, command: Sequence[str], number: signal.Signals, epochs: int) -> End:
        """How a command ends to which ``number`` is sent after so many epochs."""
        process = self.start(command)
        self.wait_for_epochs(process, epochs)
        process.send_signal(number)
        return self.end(process)

    def wait_for_epochs(self, process: "subprocess.Popen[bytes]", epochs: int) -> None:
        """Return when the sweep or training has ended so many, or the command its life."""
        deadline = time.monotonic() + LIMIT_S
        while self.num_epochs() < epochs and process.poll() is None:
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)

    def num_epochs(self) -> int:
        """Of the sweep, of a study's trainings or of the training, from their files."""
        ledger = self.path / "sweeps" / "s" / "ledger.jsonl"
        lines = ledger.read_text().count('"epoch":') if ledger.exists() else 0
        trained = len(list(self.path.glob("studies/g/trainings/*/result.json")))
        return lines + trained + self._log.read_text().count("epoch ")

    def processes(self) -> list[str]:
        """Those in whose environment this home is."""
        mark, found = f"DRMN_HOME={self.path}\0".encode(), []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes() + b"\0":
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # it ended meanwhile
        return found

    def result(self) -> dict[str, Any]:
        """What the sweep found, without what a clock told; {} where it has none."""
        file = self.path / "sweeps" / "s" / "result.json"
        if not file.exists():
            return {}
        result: dict[str, Any] = json.loads(file.read_text())
        return {**result, "validation": of_the_method(result["validation"])}


def histories(home: Home) -> dict[str, list[dict[str, float]]]:
    """Of each training of the study, its epochs' metrics, times and loads aside."""
    found = {}
    for file in home.path.glob("studies/g/trainings/*/result.json"):
        epochs = json.loads(file.read_text())["history"]
        found[file.parent.name] = [of_the_method(epoch) for epoch in epochs]
    return found


def of_the_method(metrics: Mapping[str, float]) -> dict[str, float]:
    """Without what a clock, or the machine's load, told."""
    return {name: each for name, each in metrics.items() if not name.startswith(_OF_THE_MACHINE)}


def copied(home: Home, path: Path, **more: Any) -> Home:
    """Another home with the same data and features."""
    for folder in ("data", "cache"):
        shutil.copytree(home.path / folder, path / folder)
    return Home(path=path, **more)
