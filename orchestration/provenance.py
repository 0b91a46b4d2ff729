"""Where a result came from: code, data, command."""

import shlex
import subprocess
import sys
from pathlib import Path

from drmn.config import Config
from drmn.data.dataset import Dataset
from drmn.data.splits import Split
from orchestration.tracking import Tag

_GIT_TIMEOUT_S = 10.0


def git_sha(folder: Path) -> str:
    """The commit of the checkout around ``folder``, ``-dirty`` where it has changes."""
    sha = _git(folder, "rev-parse", "HEAD")
    if not sha:
        return "unknown"
    return f"{sha}-dirty" if _git(folder, "status", "--porcelain", "-uno") else sha


def command_line() -> str:
    """The command, as it can be pasted into a shell."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def data_tags(dataset: Dataset, split: Split) -> dict[str, str]:
    """Hashes of what a run read."""
    return {
        Tag.DATASET: dataset.name,
        Tag.DATA_HASH: dataset.data_hash,
        Tag.SPLIT_HASH: split.hash,
        Tag.PROTOCOL: split.protocol,
    }


def code_tags(config: Config, variant: str) -> dict[str, str]:
    """Code, configuration and variant of a run."""
    return {
        Tag.GIT_SHA: git_sha(Path(__file__).parent),
        Tag.CONFIG_HASH: config.hash(),
        Tag.VARIANT: variant,
        Tag.SEED: str(config.training.seed),
    }


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
