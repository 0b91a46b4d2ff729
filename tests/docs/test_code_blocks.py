"""Python and studies that pages show: names are importable, studies are read."""

import ast
from importlib import import_module
from pathlib import Path

import pytest
from documentation import Block, blocks, pages

from orchestration.study.reading import read_study

ALL = [block for page in pages() for block in blocks(page)]
PYTHON = [block for block in ALL if block.language == "python"]
STUDIES = [block for block in ALL if block.language == "yaml" and "\nrows:" in block.text]


@pytest.mark.parametrize("block", PYTHON, ids=[block.place for block in PYTHON])
def test_python_names_what_is_there(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


@pytest.mark.parametrize("block", STUDIES, ids=[block.place for block in STUDIES])
def test_studies_are_read(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(block.text)
    assert len(read_study(str(path)).rows) >= 2
