"""A whole small sweep of real processes, of whose writes one fails; then it is resumed."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fault_matrix import Attempt
from sweep_process import BIN, SweepProcess
from write_faults import Fault, WriteFaults

from drmn.errors import DrmnError
from orchestration.request_file import REQUEST_FILE

SWEEP = ["--dataset", "sprites", "--name", "s", "--trials", "2", "--epochs", "2"]
SWEEP += ["--set", "training.steps_per_epoch=1", "--set", "data.image_size=32"]
SWEEP += ["--grace-period", "1", "--max-concurrent", "1", "--final-seeds", "1"]
DRIVER, TRIAL = "drmn-sweep", "default_worker.py"
"""What the command line of a role's processes holds."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An undisturbed sweep: its home, its result, and how many writes each role made."""

    home: Path
    result: Mapping[str, Any]
    num_points: Mapping[str, int]


class FaultySweep(SweepProcess):
    """The sweep of one home, in whose processes of one role a write fails."""

    def __init__(self, home: Path, library: Path, role: str) -> None:
        super().__init__(home)
        self._faults = WriteFaults(home.with_name(f"{home.name}.faults"))
        preloaded = {**self._faults.environment(library, role), "RAY_LD_PRELOAD_ON_WORKERS": "1"}
        self._faulty = {**self._environment, **preloaded}

    def disturbed(self, fault: Fault, at: int) -> int:
        """Run it with a fault at write ``at``; its exit code."""
        self._faults.arm(self.home, fault, at)
        with (self.home.with_suffix(".log")).open("w") as log:
            command = [str(BIN / "drmn-sweep"), *SWEEP]
            done = subprocess.run(
                command, env=self._faulty, stdout=log, stderr=log, timeout=200, check=False
            )
        self.seen = self._faults.seen()
        self._faults.disarm()
        return done.returncode

    def printed(self) -> str:
        return self.home.with_suffix(".log").read_text()

    def resume(self) -> None:
        """As a user would: go on with what was begun, or begin again."""
        if (self.folder / REQUEST_FILE).exists():
            self.run("drmn", "runs", "resume", "s")
        else:
            self.run("drmn-sweep", *SWEEP)


def reference(folder: Path, library: Path) -> Reference:
    """One sweep per role, undisturbed, to count its writes."""
    counts = {}
    first = folder / "reference"
    for role in (TRIAL, DRIVER):
        home = folder / f"counted-{role}"
        home.mkdir() if role is TRIAL else _home(first, home)
        sweep = FaultySweep(home, library, role)
        assert sweep.disturbed(Fault.COUNT, 0) == 0, sweep.printed()
        counts[role] = sweep.seen.num_points
        if role is TRIAL:
            home.rename(first)
    return Reference(home=first, result=sweep.result(), num_points=counts)


def attempt(known: Reference, library: Path, role: str, fault: Fault, at: int) -> Attempt:
    """One fault, one resumption, and whether all books then say what they should."""
    home = _home(known.home, known.home.with_name(f"{role}-{fault.name.lower()}-{at}"))
    sweep = FaultySweep(home, library, role)
    code = sweep.disturbed(fault, at)
    call, _, path = sweep.seen.label.partition(" ")
    broken = "" if code == 0 else _broken_end(sweep, code, fault)
    try:
        if code:
            sweep.resume()
        broken = broken or _differing(sweep, known)
    except (AssertionError, DrmnError) as error:
        broken = broken or f"cannot be resumed: {error}"
    if not broken:
        shutil.rmtree(home)
    return Attempt(
        writer=f"sweep, {'driver' if role == DRIVER else 'trial'}",
        fault=fault.name.lower(),
        at=at,
        label=f"{call} {Path(path).name}".strip(),
        ended="survived" if code == 0 else "killed" if code < 0 else "told",
        broken=broken,
    )


def _broken_end(sweep: FaultySweep, code: int, fault: Fault) -> str:
    """A death says nothing; an error is told in words."""
    if fault.is_death:
        return "" if code == -9 else f"ended with {code}: {sweep.printed()}"
    is_told = "Traceback" not in sweep.printed() and "unexpected error" not in sweep.printed()
    return "" if is_told else sweep.printed()


def _differing(sweep: FaultySweep, known: Reference) -> str:
    if sweep.result() != known.result:
        return f"not the undisturbed result: {json.dumps(sweep.result())}"
    found = sweep.differences()
    return f"books differ: {found}" if found else ""


def _home(source: Path, target: Path) -> Path:
    """Another home with the same data and features."""
    for folder in ("data", "cache"):
        shutil.copytree(source / folder, target / folder)
    return target
