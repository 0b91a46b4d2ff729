"""Hostile files for every reader, hostile values for every option: what became of each.

Each reader works in a process of its own whose memory is limited, so that a crash or a bomb is
seen as one. Tests take a sample of the same; this takes some minutes on a core:

    python benchmarks/fuzz.py [--examples 400]
"""

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
for folder in ("tests/faults", "tests/fakes", "tests/oracles"):
    sys.path.insert(0, str(REPOSITORY / folder))

import pytest  # noqa: E402
from hostile_bytes import VALUES, altered, damaged, is_json  # noqa: E402
from hostile_commands import harmless, trials, tried  # noqa: E402
from hostile_readers import Reader  # noqa: E402
from hostile_trial import READERS, Arena, arena, trapped  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results" / "faults" / "hostile_input.json"
MEMORY_BYTES = 2 << 30
"""That a reader may take beyond what its process had."""
TIME_S = 240.0


def fuzz_reader(reader: Reader, num_examples: int, answer: Any) -> None:
    """Runs in a process of its own; ``answer`` is a queue."""
    warnings.simplefilter("ignore", UserWarning)
    draw = random.Random(reader.name)
    with arena(reader) as place:
        before = _peak_bytes()
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, resource.RLIM_INFINITY))
        outcomes = Counter(trapped(place).values())
        slowest_s = 0.0
        for _ in range(num_examples):
            body = _hostile(place, draw)
            began = time.perf_counter()
            outcomes[place.tried(body)] += 1
            slowest_s = max(slowest_s, time.perf_counter() - began)
        answer.put(
            {
                "refused": outcomes["refused"],
                "read": outcomes["read"],
                "grown_mb": round((_peak_bytes() - before) / 1e6, 1),
                "slowest_s": round(slowest_s, 3),
            }
        )


def _hostile(place: Arena, draw: random.Random) -> bytes:
    """Damaged bytes, or a hostile value in JSON, or bytes that never were a file."""
    kind = draw.random()
    if kind < 0.05:
        return draw.randbytes(draw.randrange(2_000))
    if kind < 0.5 and is_json(place.body):
        return altered(place.body, draw.randrange(10**6), draw.choice(VALUES), draw.random() < 0.3)
    count = draw.randint(1, 6)
    damage = [(draw.randrange(10**6), draw.randint(-2, 255)) for _ in range(count)]
    return damaged(place.body, damage)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_a_process(reader: Reader, num_examples: int) -> dict[str, Any]:
    """What it answered, or how it ended instead."""
    forking = multiprocessing.get_context("fork")
    answer = forking.Queue()
    child = forking.Process(target=fuzz_reader, args=(reader, num_examples, answer))
    child.start()
    child.join(TIME_S)
    fault = ""
    if child.is_alive():
        child.kill()
        child.join()
        fault = f"took over {TIME_S:.0f} s"
    elif child.exitcode != 0:
        fault = f"its process ended with {child.exitcode}"
    found = {"refused": 0, "read": 0} if fault else answer.get(timeout=10)
    return {"name": reader.name, **found, "fault": fault}


def fuzz_commands() -> list[dict[str, Any]]:
    """Of each command how many values were refused, and what escaped."""
    counts: dict[str, Counter[str]] = {}
    options: dict[str, set[str]] = {}
    faults: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        places = harmless(patch, Path(home))
        for trial in trials():
            name = " ".join(trial.command)
            options.setdefault(name, set()).add(trial.option)
            try:
                outcome = tried(trial, places)
            except AssertionError as error:
                outcome = "fault"
                faults.setdefault(name, []).append(str(error)[:500])
            counts.setdefault(name, Counter())[outcome] += 1
        os.chdir(REPOSITORY)
    return [
        {
            "command": name,
            "options": len(options[name]),
            "refused": found["refused"],
            "begun": found["begun"],
            "faults": faults.get(name, []),
        }
        for name, found in counts.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=400, help="of each reader, besides traps")
    parser.add_argument("--only", help="readers whose name holds this; writes nothing")
    arguments = parser.parse_args()
    began = time.monotonic()
    chosen = [each for each in READERS if (arguments.only or "") in each.name]
    readers = []
    for reader in chosen:
        readers.append(in_a_process(reader, arguments.examples))
        print(readers[-1], flush=True)
    commands = [] if arguments.only else fuzz_commands()
    for each in commands:
        print(each["command"], each["refused"], each["begun"], *each["faults"][:3], sep="\n  ")
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
        "pyarrow": importlib.metadata.version("pyarrow"),
        "pillow": importlib.metadata.version("pillow"),
        "wall_s": round(time.monotonic() - began),
        "memory_gib": MEMORY_BYTES >> 30,
        "readers": readers,
        "files": sum(each["refused"] + each["read"] for each in readers),
        "commands": commands,
        "values": sum(each["refused"] + each["begun"] for each in commands),
        "faults": sum(bool(each["fault"]) for each in readers)
        + sum(len(each["faults"]) for each in commands),
    }
    print(f"{found['files']} files, {found['values']} values, {found['faults']} faults")
    if not arguments.only:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
