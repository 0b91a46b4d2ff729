"""For the reference: the commands' own help, by Typer, in place of a mark."""

import subprocess
import sys
from typing import Any

MARK = "{{ commands }}"
_COMMAND = [sys.executable, "-m", "typer", "orchestration.cli", "utils", "docs", "--name", "drmn"]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """MkDocs calls it for each page."""
    if MARK not in markdown:
        return markdown
    done = subprocess.run(_COMMAND, capture_output=True, text=True, check=True, timeout=120)
    return markdown.replace(MARK, done.stdout.replace("# `drmn`\n", "", 1))
