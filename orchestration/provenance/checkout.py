"""The checkout that the running code lies in: its commit, and what differs from it."""

import subprocess
from pathlib import Path

from drmn.places import without_password

UNKNOWN = "unknown"
MAX_DIFF_BYTES = 2**20
_SELF = Path(__file__)
_TIMEOUT_S = 10.0


def git_sha(file: Path = _SELF) -> str:
    """The commit of the checkout that ``file`` is part of, ``-dirty`` where it has changes.

    A file that its checkout does not track, such as one of an installed package, has none.
    """
    sha = _git(file, "rev-parse", "HEAD")
    if not sha or not _git(file, "ls-files", file.name):
        return UNKNOWN
    return f"{sha}-dirty" if _git(file, "status", "--porcelain", "-uno") else sha


def uncommitted_diff(file: Path = _SELF, max_bytes: int = MAX_DIFF_BYTES) -> str:
    """What tracked text files differ in from the commit; "" where nothing does.

    At most ``max_bytes``, with a last line that says so where more was there. Passwords in
    addresses are hidden.
    """
    if not git_sha(file).endswith("-dirty"):
        return ""
    plain = ("--no-ext-diff", "--no-textconv", "--no-color")
    diff = without_password(_git(file, "diff", "HEAD", *plain, "--", ":/"))
    content = diff.encode()
    if len(content) <= max_bytes:
        return f"{diff}\n"
    kept = content[:max_bytes].decode(errors="ignore")
    return f"{kept}\n[cut after {max_bytes} of {len(content)} bytes]\n"


def _git(file: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=file.parent,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
