"""What a run is tagged with: code, data, command."""

import getpass
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from drmn.config import Config
from drmn.data.dataset import Dataset
from drmn.data.splits import Split
from orchestration.provenance import machine
from orchestration.provenance.checkout import UNKNOWN, git_sha
from orchestration.tracking import MlflowTag, Tag

_LOGIN = re.compile(r"://[^\s/@:]*:[^\s@]+@")
_SECRET = re.compile(r"((?:password|secret|token|access_key)[\w-]*=)[^\s&]+", re.IGNORECASE)


def command_line() -> str:
    """The command, as it can be pasted into a shell; secrets in it are hidden."""
    given = [Path(sys.argv[0]).name, *(without_secrets(each) for each in sys.argv[1:])]
    return shlex.join(given)


def without_secrets(argument: str) -> str:
    """``argument`` without the logins of its URIs and the values of what is called a secret."""
    return _SECRET.sub(r"\1***", _LOGIN.sub("://***@", argument))


def data_tags(dataset: Dataset, split: Split) -> dict[str, str]:
    """Hashes of what a run read."""
    return {
        Tag.DATASET: dataset.name,
        Tag.DATA_HASH: dataset.data_hash,
        Tag.SPLIT_HASH: split.hash,
        Tag.PROTOCOL: split.protocol,
    }


def code_tags(config: Config, variant: str) -> dict[str, str]:
    """Code, configuration and variant of a run; MLflow shows the code in columns of its own."""
    sha = git_sha()
    commit = {} if sha == UNKNOWN else {str(MlflowTag.SOURCE_COMMIT): sha.removesuffix("-dirty")}
    return {
        **commit,
        **_user(),
        Tag.GIT_SHA: sha,
        Tag.CONFIG_HASH: config.hash(),
        Tag.VARIANT: variant,
        Tag.SEED: str(config.training.seed),
        MlflowTag.SOURCE_NAME: Path(sys.argv[0]).name,
        MlflowTag.SOURCE_TYPE: "LOCAL",
    }


def _user() -> dict[str, str]:
    """Nothing where the system knows no name for this process's user, as in some containers."""
    try:
        return {MlflowTag.USER: getpass.getuser()}
    except (KeyError, OSError):
        return {}


def machine_tags(found: Mapping[str, str]) -> dict[str, str]:
    """Of :func:`orchestration.provenance.machine.machine`, wherever that was asked."""
    names = {machine.HOST: Tag.HOST, machine.CPU: Tag.CPU, machine.GPU: Tag.GPU}
    return {tag: found[name] for name, tag in names.items() if name in found}
