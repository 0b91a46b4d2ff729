"""Markdown that fits into a tag of MLflow's."""

from collections.abc import Sequence

from drmn.config_tree import Scalar
from drmn.names import CZSL_TOP1, GZSL_HARMONIC, GZSL_SEEN, GZSL_UNSEEN

MAX_LENGTH = 8000
"""Characters of a tag's value in MLflow, whose descriptions are tags."""
SCORES = {CZSL_TOP1: "Acc", GZSL_UNSEEN: "U", GZSL_SEEN: "S", GZSL_HARMONIC: "H"}
"""The table's columns, as the paper calls them."""
LEAKED = (
    "best-on-test: settings, epoch and beta were chosen on test images. These numbers are not "
    "results and must not stand beside any."
)
_ROOM_FOR_MORE = 40


def note(*parts: str) -> str:
    """The paragraphs and tables that are not empty."""
    return "\n\n".join(part for part in parts if part)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], room: int = MAX_LENGTH) -> str:
    """As many rows, from the first, as ``room`` characters take; how many more there are below."""
    lines = [_line(header), _line(["---"] * len(header))]
    length = sum(len(line) + 1 for line in lines) + _ROOM_FOR_MORE
    for number, row in enumerate(rows):
        line = _line(row)
        length += len(line) + 1
        if length > room:
            return "\n".join([*lines, "", f"and {len(rows) - number} more"])
        lines.append(line)
    return "\n".join(lines)


def code(text: str) -> str:
    """In Markdown's fixed type, as names of settings and metrics are."""
    return f"`{text}`"


def number(value: Scalar) -> str:
    """Four significant digits of a fraction; anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
