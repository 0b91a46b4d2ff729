"""A small sweep as a user runs it, in a process and a home of its own, to be disturbed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestration.ledger import LEDGER_FILE, Ledger
from orchestration.repair.reconciling import reconcile
from orchestration.repair.truth import Difference
from orchestration.request_file import load_request
from orchestration.settings import read_settings
from orchestration.sweep import experiment_name

BIN = Path(sys.executable).parent
SWEEP = ["--dataset", "sprites", "--name", "s", "--trials", "3", "--epochs", "4"]
SWEEP += ["--set", "training.steps_per_epoch=2", "--set", "data.image_size=32"]
SWEEP += ["--grace-period", "1", "--max-concurrent", "1", "--final-seeds", "2"]
_LIMIT_S = 110.0


class SweepProcess:
    """The sweep ``s`` of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "sweeps" / "s"
        self.ledger = Ledger(self.folder / LEDGER_FILE)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DRMN_", "MLFLOW_"))}
        self._environment = {**inherited, "DRMN_HOME": str(home), "OMP_NUM_THREADS": "1"}
        self._drivers: list[subprocess.Popen[bytes]] = []

    def run(self, command: str, *arguments: str, exit_code: int = 0) -> str:
        """What a command prints that ends with ``exit_code``."""
        done = subprocess.run(
            [str(BIN / command), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(
        self, command: Sequence[str] = SWEEP, *, until_epochs: int = 0, until_changes: int = 0
    ) -> subprocess.Popen[bytes]:
        """Begin it in the background; return once its ledger has so many epochs and changes."""
        with (self.home / "sweep.log").open("w") as log:
            line = [str(BIN / "drmn-sweep"), *command]
            driver = subprocess.Popen(line, env=self._environment, stdout=log, stderr=log)
        self._drivers.append(driver)
        deadline = time.monotonic() + _LIMIT_S
        while not self._has(until_epochs, until_changes):
            assert time.monotonic() < deadline, self.log()
            assert driver.poll() is None, self.log()
            time.sleep(0.05)
        return driver

    def _has(self, num_epochs: int, num_changes: int) -> bool:
        histories = self.ledger.histories().values()
        enough = sum(len(each.epochs) for each in histories) >= num_epochs
        return enough and sum(len(each.changes) for each in histories) >= num_changes

    def log(self) -> str:
        """What the sweep in the background has printed."""
        return (self.home / "sweep.log").read_text()

    def close(self) -> None:
        """End what a failed test has left running."""
        for driver in self._drivers:
            driver.kill()
            driver.wait(30)

    def differences(self, *, dry_run: bool = True) -> list[Difference]:
        """Between ledger, Optuna, MLflow and Tune; mended unless ``dry_run``."""
        settings, request = read_settings({"DRMN_HOME": str(self.home)}), load_request(self.folder)
        return reconcile(request, settings, experiment_name(request), dry_run=dry_run)

    def result(self) -> dict[str, Any]:
        """What it found, without what a clock told."""
        result: dict[str, Any] = json.loads((self.folder / "result.json").read_text())
        timing = [key for key in result["validation"] if key.startswith(("time/", "cost/"))]
        kept = {k: v for k, v in result["validation"].items() if k not in timing}
        return {**result, "validation": kept}


def kill_trial_of(driver: int) -> None:
    """kill -9 the process that runs a trial of the sweep that process ``driver`` drives."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            title = (process / "cmdline").read_bytes()
            if title.startswith(b"ray::") and b"Trainable" in title:
                pid = int(process.name)
                if driver in _ancestors(pid):
                    os.kill(pid, signal.SIGKILL)
                    return
        except OSError:
            continue  # it ended meanwhile
    raise AssertionError(f"no process runs a trial of {driver}")


def _ancestors(pid: int) -> list[int]:
    found = [pid]
    while found[-1] > 1:
        stat = Path(f"/proc/{found[-1]}/stat").read_text()
        found.append(int(stat.rpartition(")")[2].split()[1]))
    return found
