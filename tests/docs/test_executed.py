"""What the pages mark as executed does run, in the order they show it, and the site builds."""

import base64
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from birds import write_birds
from documentation import EXECUTED, REPOSITORY, Block, blocks, pages
from nbclient import NotebookClient
from typed_commands import clean_environ

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted((REPOSITORY / "docs" / "notebooks").glob("*.ipynb"))
MAX_NOTEBOOK_BYTES = 300_000
RUN = [
    (page, marked)
    for page in pages()
    if (marked := [block for block in blocks(page) if block.mark == EXECUTED])
]


@pytest.mark.parametrize(("page", "marked"), RUN, ids=[page.name for page, _ in RUN])
def test_marked_blocks_run(page: Path, marked: list[Block], tmp_path: Path) -> None:
    assert all(block.language == "bash" for block in marked), page
    write_birds(tmp_path / "data")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(block.text for block in marked)],
        cwd=tmp_path,
        env=clean_environ(NO_COLOR="1"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_notebooks_run_and_draw(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    committed = [_pictures(cell) for cell in notebook.cells]
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, resources=place).execute()
    assert [_pictures(cell) for cell in notebook.cells] == committed
    assert path.stat().st_size < MAX_NOTEBOOK_BYTES


def _pictures(cell: nbformat.NotebookNode) -> int:
    """How many PNG files a cell has drawn."""
    data = [output.get("data", {}).get("image/png", "") for output in cell.get("outputs", [])]
    return sum(base64.b64decode(each).startswith(b"\x89PNG") for each in data)


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path)],
        cwd=REPOSITORY,
        env=clean_environ(NO_MKDOCS_2_WARNING="1"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "drmn runs resume" in (tmp_path / "reference" / "commands" / "index.html").read_text()
