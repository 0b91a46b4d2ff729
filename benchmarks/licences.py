"""The licence of every installed package that the constraints pin, as its own metadata says."""

import re
import tomllib
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
PRODUCT_EXTRAS = ("orchestration", "postgres", "cluster", "local")
"""What a user installs; the rest is for whoever works on the project."""

FORBIDDEN = re.compile(
    r"\b(?:A?GPL|SSPL|BUSL|Elastic|Commons Clause|Proprietary|non-?commercial|CC-BY-NC)\b", re.I
)
"""Kinds that a product under Apache-2.0 cannot be shipped with. LGPL is no match: a library under
it may be used, as long as it can be replaced."""
_WEAK = re.compile(r"LGPL|MPL|Mozilla|EPL|CDDL", re.I)
_TEXTS = (
    (re.compile(r"Permission is hereby granted, free of charge"), "MIT"),
    (re.compile(r"Apache License\s+Version 2\.0"), "Apache-2.0"),
    (re.compile(r"Redistribution and use in source and binary forms"), "BSD"),
)


@dataclass(frozen=True, kw_only=True)
class Licence:
    """Of one package; ``is_product`` if a user of the product gets it."""

    name: str
    version: str
    licence: str
    is_product: bool

    @property
    def kind(self) -> str:
        """permissive, weak copyleft (LGPL, MPL) or forbidden."""
        if FORBIDDEN.search(self.licence.replace("LGPL", "L-GPL")) and "LGPL" not in self.licence:
            return "forbidden"
        return "weak copyleft" if _WEAK.search(self.licence) else "permissive"


def listed(pinned: set[str]) -> list[Licence]:
    """Every installed package whose normalised name is in ``pinned``, by name."""
    installed = {_normalised(each.name): each for each in distributions()}
    product = _needed(installed)
    return [
        Licence(
            name=found.name,
            version=found.version,
            licence=licence_of(found),
            is_product=name in product,
        )
        for name, found in sorted(installed.items())
        if name in pinned
    ]


def licence_of(found: Distribution) -> str:
    """What its metadata name: expression, classifiers or text; "" where nothing does."""
    if expression := found.metadata.get("License-Expression"):
        return str(expression)
    classifiers = found.metadata.get_all("Classifier") or []
    named = [each.rpartition("::")[2].strip() for each in classifiers if "License ::" in each]
    if precise := [each for each in named if each != "OSI Approved"]:
        return "; ".join(precise)
    text = str(found.metadata.get("License") or "").strip()
    if text and len(text.splitlines()) == 1:
        return text
    return next((name for sign, name in _TEXTS if sign.search(text + _file(found))), "")


def _file(found: Distribution) -> str:
    names = [each for each in found.files or [] if re.match(r"(?i)licen[cs]e|copying", each.name)]
    paths = [Path(str(found.locate_file(each))) for each in names]
    return "\n".join(path.read_text(errors="replace") for path in paths if path.is_file())


def _needed(installed: dict[str, Distribution]) -> set[str]:
    """Names of what the product needs, and what that needs."""
    waiting = [pair for text in asked_for(*PRODUCT_EXTRAS) for pair in _pairs(Requirement(text))]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name not in installed:
            continue
        seen.add((name, extra))
        for wanted in map(Requirement, installed[name].requires or []):
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                waiting += _pairs(wanted)
    return {name for name, _ in seen}


def asked_for(*extras: str) -> list[str]:
    """What pyproject.toml asks for, itself and with those extras; its own name is left out."""
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    texts = project["dependencies"] + [
        text for extra in extras for text in project["optional-dependencies"][extra]
    ]
    return [text for text in texts if not text.startswith("drmn[")]


def _pairs(wanted: Requirement) -> list[tuple[str, str]]:
    return [(_normalised(wanted.name), extra) for extra in ("", *wanted.extras)]


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_page(pinned: set[str]) -> str:
    """docs/licences.md."""
    found = listed(pinned)
    lines = [
        "# Licences of what it is built from",
        "",
        "Written by `python benchmarks/supply_chain.py licences` from what each installed package",
        "says of itself, for the versions in `infra/constraints.txt`. DRMN itself is under",
        "Apache-2.0. PyTorch's ordinary build brings NVIDIA's CUDA libraries, which have NVIDIA's",
        "own terms and are not in this list; its CPU build does not.",
    ]
    for title, is_product in (("What users install", True), ("For work on the project", False)):
        rows = [each for each in found if each.is_product is is_product]
        lines += [
            "",
            f"## {title}",
            "",
            "| package | version | licence | kind |",
            "|---|---|---|---|",
        ]
        lines += [f"| {e.name} | {e.version} | {e.licence} | {e.kind} |" for e in rows]
    return "\n".join(lines) + "\n"
