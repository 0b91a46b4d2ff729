"""What a death or a full disk leaves behind is neither taken for a result nor kept for ever."""

import errno
import os
import socket
from io import FileIO
from pathlib import Path

import pytest

from drmn.atomic import append_line, is_temporary, replacing

DEAD = 2**22 + 1
"""Above the highest process number of Linux."""


def _left(path: Path, host: str, pid: int) -> Path:
    found = path.with_name(f".{path.name}.{host}.{pid}.tmp")
    found.write_text("half")
    return found


def test_what_a_dead_process_left_goes_away_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    dead = _left(path, socket.gethostname(), DEAD)
    others = [_left(path, socket.gethostname(), os.getppid()), _left(path, "elsewhere", DEAD)]
    with replacing(path) as temporary:
        temporary.write_text("whole")
    assert not dead.exists()
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])
    assert [is_temporary(each) for each in [path, *others]] == [False, True, True]


def test_an_error_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"a\.json") as caught, replacing(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.json")


@pytest.mark.parametrize("left", ["", "one\n", "one\ntw", "tw"])
def test_a_line_is_appended_to_whole_lines(tmp_path: Path, left: str) -> None:
    path = tmp_path / "lines"
    path.write_text(left)
    append_line(path, "next")
    assert path.read_text() == ("one\n" if "one" in left else "") + "next\n"


def test_a_line_that_the_disk_takes_in_part_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lines"
    append_line(path, "one")

    class Full(FileIO):
        def write(self, data) -> int:
            return super().write(bytes(data)[:3])

    monkeypatch.setattr("drmn.atomic.FileIO", Full)
    with pytest.raises(OSError, match="lines") as caught:
        append_line(path, "another")
    assert caught.value.errno == errno.ENOSPC
    assert path.read_text() == "one\n"
