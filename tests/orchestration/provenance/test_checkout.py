"""What a checkout says of itself: commit, changes, and nothing of a checkout that is not ours."""

import subprocess
from pathlib import Path

import pytest

from orchestration.provenance.checkout import UNKNOWN, git_sha, uncommitted_diff


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A committed file in a repository of its own."""
    found = tmp_path / "code.py"
    found.write_text("before = 1\n")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", "code.py")
    _git(tmp_path, "commit", "--quiet", "-m", "Begin")
    return found


def _git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, timeout=20)


def test_a_clean_checkout_has_a_commit_and_no_difference(file: Path) -> None:
    assert len(git_sha(file)) == 40
    assert uncommitted_diff(file) == ""


def test_a_change_is_told_and_shown_but_no_password_and_no_other_file(file: Path) -> None:
    file.write_text("store = 's3://key:canary-of-the-diff@bucket'\n")
    file.with_name("untracked.txt").write_text("canary of another file")
    assert git_sha(file).endswith("-dirty")
    diff = uncommitted_diff(file)
    assert "-before = 1\n+store = 's3://key:***@bucket'" in diff
    assert "canary" not in diff


def test_a_long_difference_is_cut_and_says_so(file: Path) -> None:
    file.write_text("é" * 5000)
    diff = uncommitted_diff(file, max_bytes=1001)
    assert len(diff.encode()) < 1100
    assert diff.endswith("bytes]\n")


def test_a_file_that_its_checkout_does_not_track_has_no_commit(file: Path) -> None:
    installed = file.with_name("installed.py")
    installed.write_text("")
    file.write_text("changed")
    assert (git_sha(installed), uncommitted_diff(installed)) == (UNKNOWN, "")


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    assert git_sha(tmp_path / "code.py") == UNKNOWN
