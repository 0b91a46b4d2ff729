from pathlib import Path

import pytest

from drmn.data.attribute_names import read_attribute_names
from drmn.errors import DataError


@pytest.mark.parametrize(
    ("file", "text", "names"),
    [
        ("predicates.txt", "     1\tblack\n     2\twhite\n", ("black", "white")),
        ("attributes.txt", "1 has_bill::hooked_(x)\n2 b\n", ("has_bill::hooked_(x)", "b")),
        ("attributes.txt", "sailing/ boating\ndriving\n", ("sailing/ boating", "driving")),
        ("attributes.txt", "2 wheels\n4 legs\n", ("2 wheels", "4 legs")),
        ("attributes.txt", "\ufeffa\r\nb\r\n\r\n", ("a", "b")),
    ],
)
def test_formats(tmp_path: Path, file: str, text: str, names: tuple[str, ...]) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert read_attribute_names(tmp_path, 2) == names


def test_names_are_numbered_without_a_file(tmp_path: Path) -> None:
    assert read_attribute_names(tmp_path, 2) == ("attribute 1", "attribute 2")


def test_another_number_of_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "attributes.txt").write_text("a\nb\nc\n")
    with pytest.raises(DataError, match=r"attributes\.txt has 3 names.* 2 attributes"):
        read_attribute_names(tmp_path, 2)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "attributes.txt").write_bytes(b"caf\xe9\nb\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_attribute_names(tmp_path, 2)
