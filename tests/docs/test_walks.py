"""The walks of CONTRIBUTING name files and symbols that are there; figures fit their sources."""

import ast
import hashlib
import re

import pytest
from documentation import REPOSITORY

TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text()
WALKS = TEXT.partition("## Four walks")[2].partition("\n## ")[0].split("\n### ")[1:]
NAMED = re.findall(r"`([\w/.-]+/[\w.-]*|[\w.-]+\.md)(?:::(\w+))?`", TEXT)


def _defined(path: str) -> set[str]:
    """Functions, classes and names bound at the top of a module."""
    found: set[str] = set()
    for node in ast.parse((REPOSITORY / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def test_there_are_four_walks_and_each_begins_in_code() -> None:
    titles = [walk.partition("\n")[0] for walk in WALKS]
    assert titles == ["Add a loss term", "Add a data set", "Add a pruner", "Add a store"]
    assert all(re.search(r"`\w[\w/]*\.py::\w+`", walk) for walk in WALKS)


@pytest.mark.parametrize(("path", "symbol"), sorted(set(NAMED)))
def test_what_is_named_is_there(path: str, symbol: str) -> None:
    assert (REPOSITORY / path).exists()
    assert not symbol or symbol in _defined(path)


def test_flow_was_drawn_from_the_source_beside_it() -> None:
    figures = REPOSITORY / "docs" / "figures"
    digest = hashlib.sha256((figures / "flow.mmd").read_bytes()).hexdigest()
    assert digest in (figures / "flow.svg").read_text()
