"""Writes docs/reliability.md from what was measured.

Each section is a template of ``reliability_pages/``, in order of its number; ``20-name.md.j2`` is
filled from ``results/faults/name.json``, if there is one. What no file holds cannot be in the page.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).resolve().parent
SECTIONS, RESULTS = HERE / "reliability_pages", HERE / "results" / "faults"
PAGE = HERE.parent / "docs" / "reliability.md"


def measured(template: str) -> dict[str, Any]:
    """What the section's file of results holds; {} if it has none."""
    path = RESULTS / f"{template.removesuffix('.md.j2').partition('-')[2]}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def page() -> str:
    """All sections, with an empty line between them; a figure that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(SECTIONS),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = sorted(path.name for path in SECTIONS.glob("*.md.j2"))
    texts = [environment.get_template(name).render(found=measured(name)) for name in names]
    return "\n\n".join(text.strip() for text in texts) + "\n"


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    PAGE.write_text(page())
    print(f"{PAGE.relative_to(HERE.parent)}: {len(PAGE.read_text().splitlines())} lines")


if __name__ == "__main__":
    main()
