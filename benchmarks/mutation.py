"""Mutation: how many small changes of the code would the fast tests notice?

mutmut changes one operator, number, text, argument or branch at a time and runs the tests that
touch the function, in a fork of one process that has imported everything. Files and tests:
``[tool.mutmut]`` in pyproject.toml. From a checkout with ``.[dev]``, some ten minutes on a core:

    python benchmarks/mutation.py

Why a change may go unnoticed is told by ``mutation_reasons.yaml``, by the changed line.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
RESULTS = HERE / "results" / "faults" / "mutation.json"
REASONS = HERE / "mutation_reasons.yaml"
MUTANTS = REPOSITORY / "mutants"
MEMORY_BYTES = 12 << 30
"""Some mutants never stop growing."""
_KILLED, _SURVIVED, _UNTESTED, _TIMEOUTS = (1, 3), 0, 33, (36, 24, 152, 255, -24, -9)


def run_mutmut(only: list[str]) -> float:
    """Seconds that it took; what it prints goes to ``mutants/run.log``."""
    MUTANTS.mkdir(exist_ok=True)
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    limited = f'ulimit -v {MEMORY_BYTES // 1024}; exec "$@"'
    mutmut = str(Path(sys.executable).with_name("mutmut"))
    command = ["bash", "-c", limited, "bash", mutmut, "run", "--max-children", "1", *only]
    began = time.monotonic()
    with (MUTANTS / "run.log").open("w") as log:
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env={**environ, "OMP_NUM_THREADS": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        sys.exit(f"mutmut failed: see {MUTANTS / 'run.log'}")
    return time.monotonic() - began


def found_in(meta: Path, reasons: list[dict[str, str]]) -> dict[str, Any]:
    """One module's mutants, and those that nothing noticed."""
    codes = json.loads(meta.read_text())["exit_code_by_key"]
    kinds = Counter(_kind(code) for code in codes.values())
    unnoticed = [name for name, code in codes.items() if _kind(code) in ("survived", "untested")]
    survivors = [explained(_survivor(name), reasons) for name in unnoticed]
    return {
        "module": str(meta.relative_to(MUTANTS)).removesuffix(".meta"),
        "mutants": len(codes),
        **{kind: kinds[kind] for kind in ("killed", "timeout", "survived", "untested")},
        "survivors": survivors,
    }


def _kind(code: int | None) -> str:
    if code in _KILLED:
        return "killed"
    if code in _TIMEOUTS:
        return "timeout"
    return {_SURVIVED: "survived", _UNTESTED: "untested"}.get(code, f"code {code}")  # type: ignore[arg-type]


def _survivor(name: str) -> dict[str, str]:
    from mutmut.mutation.diff_apply import find_mutant, get_diff_for_mutant

    diff = get_diff_for_mutant(name, path=find_mutant(name).path).splitlines()
    changed = [line for line in diff if re.match(r"[+-](?![+-])", line)]
    module, _, function = name.rpartition("__mutmut_")[0].rpartition(".")
    shown = "\n".join(f"{line[0]} {line[1:].strip()}" for line in changed)
    return {
        "function": f"{module}.{function.replace('ǁ', '.').removeprefix('x').lstrip('_.')}",
        "change": shown,
    }


def explained(survivor: dict[str, str], reasons: list[dict[str, str]]) -> dict[str, str]:
    """With kind and reason, "" where none is given."""
    text = f"{survivor['function']}\n{survivor['change']}"
    found = next((each for each in reasons if re.search(each["where"], text)), {})
    return {**survivor, "kind": found.get("kind", ""), "reason": found.get("reason", "")}


def summary(modules: list[dict[str, Any]], wall_s: float) -> dict[str, Any]:
    """What the page and the test of the results read; killed counts what ran out of time."""
    num_mutants = sum(each["mutants"] for each in modules)
    num_killed = sum(each["killed"] + each["timeout"] for each in modules)
    survivors = [each for module in modules for each in module["survivors"]]
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "mutmut": importlib.metadata.version("mutmut"),
        "wall_s": round(wall_s),
        "mutants": num_mutants,
        "killed": num_killed,
        "share": round(num_killed / num_mutants, 4),
        "modules": modules,
        "kinds": dict(Counter(each["kind"] or "unexplained" for each in survivors)),
    }


def explain_anew() -> None:
    """Kinds and reasons of the survivors in the file of results, from the table as it is now."""
    found, reasons = json.loads(RESULTS.read_text()), yaml.safe_load(REASONS.read_text())
    for module in found["modules"]:
        module["survivors"] = [explained(each, reasons) for each in module["survivors"]]
    survivors = [each for module in found["modules"] for each in module["survivors"]]
    found["kinds"] = dict(Counter(each["kind"] or "unexplained" for each in survivors))
    found.pop("unexplained", None)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(found["kinds"])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="run only what mutants/ lacks")
    parser.add_argument("--explain", action="store_true", help="run nothing; take reasons anew")
    parser.add_argument("--only", nargs="*", default=[], help="mutants, such as 'drmn.losses*'")
    arguments = parser.parse_args()
    os.chdir(REPOSITORY)
    if arguments.explain:
        explain_anew()
        return
    if not arguments.keep:
        shutil.rmtree(MUTANTS, ignore_errors=True)
    wall_s = run_mutmut(arguments.only)
    reasons = yaml.safe_load(REASONS.read_text())
    modules = [found_in(meta, reasons) for meta in sorted(MUTANTS.rglob("*.py.meta"))]
    found = summary([each for each in modules if each["mutants"]], wall_s)
    for each in found["modules"]:
        print(f"{each['module']:45} {each['killed'] + each['timeout']:4} of {each['mutants']}")
    for each in (s for module in found["modules"] for s in module["survivors"]):
        print(f"{each['function']}\n{each['change']}\n  {each['reason'] or 'NOT EXPLAINED'}")
    print(f"killed {found['share']:.1%} of {found['mutants']}; those that lived: {found['kinds']}")
    if not arguments.only:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
