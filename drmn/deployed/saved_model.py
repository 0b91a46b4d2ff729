"""A trained model as data: one sealed file with all that a prediction depends on.

Tensors, texts and numbers only (see :mod:`drmn.sealed`): reading a model runs no code, whoever
wrote it. The SIT is not in it, since it is removed at test time (section 3.2).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float32, Shaped
from torch import Tensor

from drmn.config import Config
from drmn.data import transforms
from drmn.errors import ConfigError, DataError
from drmn.model.levels import LevelSpec
from drmn.reading import FAULTS
from drmn.sealed import SealError, read_sealed, write_sealed

MODEL_FILE = "model.drmn"
FORMAT = "drmn-model-1"  # another number with any change of what is written

Tensors = Mapping[str, Shaped[Tensor, "..."]]


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedBackbone:
    """The backbone's weights, or where they are.

    ``entries`` hold its whole state, or where it is not ``included`` only what was tuned: the rest
    is then read from ``source`` (``backbone.weights`` of the run), and must have ``weights_hash``.
    """

    source: str
    weights_hash: str
    included: bool
    entries: Tensors


@dataclass(frozen=True, kw_only=True)
class Record:
    """What was measured of a model when it was made; scores are fractions.

    ``scores`` are those of :func:`drmn.metrics.score`; ``class_accuracies`` each class's own under
    Algorithm 1; ``selection`` is what it was chosen by: metric, value and the validation split.
    """

    dataset: str
    data_hash: str
    split_hash: str
    protocol: str
    scores: Mapping[str, float]
    class_accuracies: Mapping[str, float]
    selection: Mapping[str, str | float] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedModel:
    """A model; ``backbone`` is None where the features came with the data set.

    Args:
        attributes: the classes' l2-normalised semantics.
        specs: shapes of the levels DRMN reads.
        level_dtype: in which a frozen backbone's levels were kept for training: a prediction
            rounds them alike. None for a tuned one, whose levels were never kept.
        weights: DRMN's state without the SIT.
    """

    config: Config
    class_names: tuple[str, ...]
    attribute_names: tuple[str, ...]
    attributes: Float32[Tensor, "K A"]
    seen: Bool[Tensor, " K"]
    specs: tuple[LevelSpec, ...]
    level_dtype: str | None
    weights: Tensors
    backbone: SavedBackbone | None
    record: Record

    def save(self, path: Path) -> None:
        """Write ``path``, whole or not at all."""
        about = {
            "format": FORMAT,
            "config": self.config.flat(),
            "class_names": self.class_names,
            "attribute_names": self.attribute_names,
            "specs": [asdict(spec) for spec in self.specs],
            "level_dtype": self.level_dtype,
            "transform": transforms.describe(self.config.data.image_size),
            "record": asdict(self.record),
        }
        content = {
            "about": json.dumps(about),
            "attributes": self.attributes,
            "seen": self.seen,
            "weights": dict(self.weights),
            "backbone": None if self.backbone is None else dict(vars(self.backbone)),
        }
        write_sealed(path, content)


def load_model(path: Path) -> SavedModel:
    """The model in a file, or in a folder's ``model.drmn``.

    Raises:
        DataError: it is absent, damaged, no model, or of a version that cannot be read here.
    """
    file = path / MODEL_FILE if path.is_dir() else path
    try:
        content = read_sealed(file)
        about = json.loads(content["about"])
        _check_readable(file, about)
        return _assemble(content, about)
    except SealError as error:
        raise _unusable(file, str(error)) from error
    except (*FAULTS, ConfigError) as error:
        if isinstance(error, DataError):
            raise
        raise _unusable(file, f"is no model that can be read ({_reason(error)})") from error


def _assemble(content: Mapping[str, Any], about: Mapping[str, Any]) -> SavedModel:
    backbone = content["backbone"]
    _check_tensors(content)
    return SavedModel(
        config=Config.from_flat(about["config"]),
        class_names=_texts(about["class_names"]),
        attribute_names=_texts(about["attribute_names"]),
        attributes=content["attributes"],
        seen=content["seen"],
        specs=tuple(LevelSpec(**spec) for spec in about["specs"]),
        level_dtype=about["level_dtype"],
        weights=content["weights"],
        backbone=None if backbone is None else SavedBackbone(**backbone),
        record=Record(**about["record"]),
    )


def _texts(names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError("names are no list of texts")
    return tuple(names)


def _check_tensors(content: Mapping[str, Any]) -> None:
    """Of the right kind and size for each other; weights are compared as they are loaded."""
    attributes, seen, backbone = content["attributes"], content["seen"], content["backbone"]
    entries = {} if backbone is None else backbone["entries"]
    for tensors in (content["weights"], entries, {"attributes": attributes, "seen": seen}):
        if not all(isinstance(n, str) and isinstance(t, Tensor) for n, t in tensors.items()):
            raise TypeError("its weights are no tensors by name")
    about = json.loads(content["about"])
    wanted = (len(about["class_names"]), len(about["attribute_names"]))
    if tuple(attributes.shape) != wanted or tuple(seen.shape) != wanted[:1]:
        raise ValueError(f"its attributes are {tuple(attributes.shape)}, but must be {wanted}")
    if attributes.dtype != torch.float32 or seen.dtype != torch.bool:
        raise TypeError(f"its attributes and seen are {attributes.dtype} and {seen.dtype}")


def _check_readable(file: Path, about: Mapping[str, Any]) -> None:
    if about["format"] != FORMAT:
        raise _unusable(file, f"has the format {about['format']!r}, but {FORMAT!r} is read here")
    here = transforms.describe(about["config"]["data.image_size"])
    if about["transform"] != here:
        raise _unusable(file, f"wants pictures prepared as {about['transform']}, here it is {here}")


def _unusable(file: Path, fault: str) -> DataError:
    return DataError(
        f"the model {file} {fault}",
        f"name a {MODEL_FILE} as `drmn-sweep` or `drmn train` wrote it, or the folder it lies in",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return error.message
    return f"{type(error).__name__}: {error}"
