"""Installed versions, as pip would take them."""

import platform
from importlib.metadata import distributions

import torch


def requirements() -> str:
    """``name==version`` of everything installed, below a comment on what pip does not install."""
    found = {each.name: each.version for each in distributions() if each.name}
    lines = [f"{name}=={version}" for name, version in sorted(found.items(), key=_without_case)]
    cuda = torch.version.cuda or "none"
    header = f"# Python {platform.python_version()}, {platform.platform()}, PyTorch's CUDA: {cuda}"
    return "\n".join([header, *lines]) + "\n"


def _without_case(entry: tuple[str, str]) -> str:
    return entry[0].lower()
