"""torchvision comes only when a network is asked for, whichever way it was built."""

import subprocess
import sys

import pytest
from torch import nn

from drmn import vision

_READING_NEEDS_NONE = """
import sys
import drmn.data.store.features
assert not any(name.partition(".")[0] == "torchvision" for name in sys.modules)
from drmn import vision
vision.new_network("resnet18")
assert "torchvision" in sys.modules
"""


def test_networks_bear_their_names() -> None:
    assert type(vision.new_network("resnet18")).__name__ == "ResNet"
    assert isinstance(vision.new_network("densenet169"), nn.Module)


@pytest.mark.slow
def test_cached_features_are_read_without_torchvision() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", _READING_NEEDS_NONE], check=True)
