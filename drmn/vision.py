"""The one door to torchvision: its networks and the weights it can download.

A torchvision built for CUDA beside a torch built for the CPU cannot load its compiled operators,
and importing it stops at ``operator torchvision::nms does not exist``. Nothing here needs those
operators, so their schemas alone are declared and the import is made again. The import is put
off until a network is asked for: reading cached features needs none.
"""

import importlib
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any, cast

from torch import Tensor, library, nn

_DETECTION_OPERATORS = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_IMAGENET_WEIGHTS = "IMAGENET1K_V1"  # the recipe of the original publications

_declared: list[library.Library] = []  # schemas live as long as the object that declared them


def new_network(name: str) -> nn.Module:
    """torchvision's network of that name, randomly initialised from torch's global generator."""
    return cast(nn.Module, _models().get_model(name, weights=None))


def download_weights(name: str) -> dict[str, Tensor]:
    """ImageNet weights by parameter name, from torchvision's cache or its site.

    Raises:
        OSError: there is no network and nothing is cached.
        RuntimeError: what came is not what was published.
    """
    weights: Any = _models().get_model_weights(name)[_IMAGENET_WEIGHTS]
    return cast(dict[str, Tensor], weights.get_state_dict(progress=False, check_hash=True))


class Required:
    """Put before torchvision's objects in a pickle: reading it imports torchvision, as above."""

    def __reduce__(self) -> tuple[Callable[[], "Required"], tuple[()]]:
        return _required, ()


def _required() -> Required:
    _models()
    return Required()


@cache
def _models() -> ModuleType:
    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[module]
    _declare_detection_operators()
    return importlib.import_module("torchvision.models")


def _declare_detection_operators() -> None:
    declared = library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in _DETECTION_OPERATORS:
        declared.define(f"{operator}{_SCHEMA}")  # type: ignore[no-untyped-call]
    _declared.append(declared)
