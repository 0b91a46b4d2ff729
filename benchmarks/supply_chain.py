"""What the product is built from: hashes of every package, their licences, known advisories.

    python benchmarks/supply_chain.py lock      writes infra/requirements.lock (needs uv)
    python benchmarks/supply_chain.py licences  writes docs/licences.md
    python benchmarks/supply_chain.py audit     asks for advisories (needs pip-audit)
    python benchmarks/supply_chain.py record    writes results/faults/supply_chain.json

Exit code of ``audit``: 0 nothing known, 1 something is, 3 no database of advisories answered.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from licences import licence_page, listed

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
CONSTRAINTS = REPOSITORY / "infra" / "constraints.txt"
LOCK = REPOSITORY / "infra" / "requirements.lock"
LICENCES = REPOSITORY / "docs" / "licences.md"
RESULTS = HERE / "results" / "faults" / "supply_chain.json"
PYTHON = "3.11.13"
BUILDS = ("torch", "torchvision")
"""Their one version comes as several builds, each in an index of its own with files of its own:
a hash of one would refuse the others. They are pinned by version alone, and what PyTorch's CUDA
build needs besides is left to it."""
NOT_ANSWERED = 3
_HEADER = """\
# Every file that pip may install for infra/constraints.txt, by SHA-256. Written by
# `python benchmarks/supply_chain.py lock`. torch, torchvision and the CUDA libraries of their
# ordinary build are not here: one version of them has several builds with other files each.
# pip install --require-hashes --no-deps -r infra/requirements.lock
"""


def pins() -> dict[str, str]:
    """Version of each package in the constraints, by its normalised name."""
    lines = CONSTRAINTS.read_text().splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {normalised(name): version.strip() for name, version in pairs}


def locked() -> dict[str, tuple[str, list[str]]]:
    """Version and hashes of each package in the lock."""
    found: dict[str, tuple[str, list[str]]] = {}
    for block in re.split(r"\n(?=\S)", LOCK.read_text()):
        if match := re.match(r"([\w.\-]+)==(\S+)", block):
            found[normalised(match[1])] = (match[2], re.findall(r"sha256:([0-9a-f]{64})\b", block))
    return found


def normalised(name: str) -> str:
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def lock() -> None:
    """Ask the package index for the files of every pinned version."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--all-extras"]
    command += ["-c", str(CONSTRAINTS), "--generate-hashes", "--python-version", PYTHON]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--quiet"]
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        subprocess.run([*command, "-o", file.name], cwd=REPOSITORY, check=True)
        blocks = re.split(r"\n(?=\S)", Path(file.name).read_text().strip())
    wanted = set(pins()) - set(BUILDS)
    kept = [each for each in blocks if normalised(each.partition("==")[0]) in wanted]
    LOCK.write_text(_HEADER + "\n".join(kept) + "\n")
    print(f"{LOCK.relative_to(REPOSITORY)}: {len(kept)} packages")


def audit() -> tuple[int, list[str], int]:
    """How many packages were looked up, what is known of them, and how many were not found."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{name}=={version}\n" for name, version in pins().items()))
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "-r", file.name, "--no-deps", "--disable-pip"]
        done = subprocess.run(
            [*command, "-f", "json", "--progress-spinner", "off", "--timeout", "10"],
            capture_output=True,
            text=True,
            check=False,
        )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return 0, [], len(pins())
    asked = [each for each in found if "vulns" in each]
    known = [
        f"{each['name']} {each['version']}: {v['id']}" for each in asked for v in each["vulns"]
    ]
    return len(asked), known, len(found) - len(asked)


def tell_audit() -> int:
    """The exit code."""
    num_asked, known, num_missing = audit()
    if num_asked == 0:
        print("no database of advisories answered from here: nothing was audited", file=sys.stderr)
        print("run this where pip-audit's advisories can be reached", file=sys.stderr)
        return NOT_ANSWERED
    print(f"{num_asked} packages were looked up, {num_missing} are not known there")
    print("\n".join(known) or "no advisory names any of them")
    return int(bool(known))


def record() -> None:
    """What the page tells."""
    num_asked, known, num_missing = audit()
    hashes, licences = locked(), listed(set(pins()))
    found: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "pinned": len(pins()),
        "locked": len(hashes),
        "hashes": sum(len(each) for _, each in hashes.values()),
        "builds": list(BUILDS),
        "audited": num_asked,
        "not_audited": num_missing,
        "advisories": known,
        "product": sum(each.is_product for each in licences),
        "development": sum(not each.is_product for each in licences),
        "kinds": dict(Counter(each.kind for each in licences if each.is_product)),
        "development_kinds": dict(Counter(each.kind for each in licences if not each.is_product)),
        "copyleft": [
            {"name": each.name, "licence": each.licence, "product": each.is_product}
            for each in licences
            if each.kind != "permissive"
        ],
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("lock", "licences", "audit", "record"))
    what = parser.parse_args().what
    if what == "lock":
        lock()
    elif what == "licences":
        LICENCES.write_text(licence_page(set(pins())))
    elif what == "audit":
        sys.exit(tell_audit())
    else:
        record()


if __name__ == "__main__":
    main()
