"""Where a backbone's weights come from: a fixed seed, torchvision's download, or a file.

Files bear torchvision's parameter names. The classifier's are ignored where present, for no
backbone here has one.

Random weights are left as torchvision draws them. Giving their batch norms the statistics of
pictures was tried, and closed-form ZSL and linear classification on pooled ResNet-18 features of
the sprites became worse (0.55 against 0.60, and 0.64 against 0.78).
"""

import hashlib
import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from drmn import vision
from drmn.archives import UNREADABLE, check_npz, check_torch
from drmn.errors import DataError

RANDOM = "none"
IMAGENET = "imagenet"
_RANDOM_SEED = 0
_MAX_LISTED = 3
_MAX_REASON = 300
_FETCH = "fetch the file again and compare its size or checksum with the source"
_CONVERT = (
    "it holds pickled objects; where you trust the file, load it with allow_pickle=True and keep "
    "its arrays of numbers: numpy.savez(NEW, **{name: array.astype('float32') ...})"
)

_CLASSIFIERS = ("fc", "classifier")
_BATCH_COUNTER = "num_batches_tracked"  # plays no part where batch norm has a momentum
_OLD_DENSENET_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)$")


def load_network(name: str, weights: str) -> tuple[nn.Module, str]:
    """torchvision's network ``name`` without its classifier, and the hash of its weights.

    Args:
        name: one of the backbones of :mod:`drmn.config`.
        weights: ``"none"`` (random, always the same ones), ``"imagenet"`` or a file
            (.npz, .pt, .pth).

    The global random generator is left as it was.

    Raises:
        DataError: the file is absent, damaged or of another network; the download failed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_RANDOM_SEED)
        network = vision.new_network(name)
    for classifier in _CLASSIFIERS:
        if hasattr(network, classifier):
            setattr(network, classifier, nn.Identity())
    if weights != RANDOM:
        tensors = _download(name) if weights == IMAGENET else _read_file(Path(weights))
        _copy_into(network, tensors, f"the weights {weights}" if weights == IMAGENET else weights)
    return network, hash_tensors(network.state_dict())


def hash_tensors(tensors: Mapping[str, Shaped[Tensor, "..."]]) -> str:
    """SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in _parameter_names(tensors):
        values = np.ascontiguousarray(tensors[name].detach().cpu().numpy())
        digest.update(f"{name} {values.dtype} {values.shape}\n".encode())
        digest.update(values.data)
    return digest.hexdigest()


def _download(name: str) -> dict[str, Tensor]:
    try:
        return _modern_names(vision.download_weights(name))
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"the ImageNet weights of {name} could not be downloaded: {error}",
            "give a local file of torchvision's weights with --weights FILE",
        ) from error


def _read_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise DataError(
            f"there is no weights file {path}",
            "give an existing .npz, .pt or .pth file with --weights FILE",
        )
    readers = {".npz": _read_npz, ".pt": _read_torch, ".pth": _read_torch}
    if path.suffix.lower() not in readers:
        raise DataError(f"the weights file {path} must end in one of {', '.join(readers)}")
    return _modern_names(readers[path.suffix.lower()](path))


def _read_npz(path: Path) -> dict[str, Tensor]:
    try:
        check_npz(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: torch.from_numpy(np.asarray(archive[name])) for name in archive.files}
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file:
            check_torch(file, path.stat().st_size)
        with warnings.catch_warnings():  # of pickle protocols that others use
            warnings.simplefilter("ignore", UserWarning)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DataError(
            f"the weights file {path} cannot be read: its pickle names more than tensors, "
            "and no code of it is run here",
            "where you trust the file, load it as its authors say, and keep the tensors alone: "
            "torch.save(network.state_dict(), NEW)",
        ) from error
    except UNREADABLE as error:
        raise _unreadable(path, error) from error
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise DataError(
            f"the weights file {path} must hold a dictionary of tensors by parameter name",
            "save network.state_dict(), nothing around it",
        )
    return content


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error).partition("\n")[0][:_MAX_REASON] or type(error).__name__
    return DataError(
        f"the weights file {path} cannot be read: {reason}",
        _CONVERT if "allow_pickle" in reason else _FETCH,
    )


def _modern_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Old DenseNet files, torchvision's own among them, say ``norm.1`` for ``norm1``."""
    return {_OLD_DENSENET_NAME.sub(r"\1\2", name): tensor for name, tensor in tensors.items()}


def _parameter_names(names: Iterable[str]) -> list[str]:
    return sorted(
        name
        for name in names
        if not name.endswith(_BATCH_COUNTER) and name.partition(".")[0] not in _CLASSIFIERS
    )


def _copy_into(network: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    expected, given = _parameter_names(network.state_dict()), _parameter_names(tensors)
    _check_names(expected, given, source)
    state = network.state_dict()
    for name in expected:
        _check_tensor(name, tensors[name], tuple(state[name].shape), source)
        state[name].copy_(tensors[name])


def _check_names(expected: list[str], given: list[str], source: str) -> None:
    missing = sorted(set(expected) - set(given))
    unexpected = sorted(set(given) - set(expected))
    if missing or unexpected:
        raise DataError(
            f"{source} is of another network: {_listed(missing)} missing, "
            f"{_listed(unexpected)} unexpected",
            "let --backbone name the network that the weights were trained for",
        )


def _listed(names: list[str]) -> str:
    if not names:
        return "no key"
    shown = ", ".join(names[:_MAX_LISTED])
    return f"{len(names)} key(s) ({shown}{', …' if len(names) > _MAX_LISTED else ''})"


def _check_tensor(name: str, tensor: Tensor, shape: tuple[int, ...], source: str) -> None:
    if tuple(tensor.shape) != shape:
        raise DataError(
            f"{source}: {name} has the shape {tuple(tensor.shape)}, but must have {shape}",
            "let --backbone name the network that the weights were trained for",
        )
    if not bool(torch.isfinite(tensor).all()):
        raise DataError(f"{source}: {name} holds values that are NaN or infinite")
