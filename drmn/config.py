"""What a run is: one frozen tree of settings, every field reachable by a dotted path.

The first value of every choice is the default that PAPER's silence was filled with; field
comments give the equation. Nothing here imports torch: search spaces are written over it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from drmn.config_rules import check_at_least, check_between, check_positive
from drmn.config_tree import Scalar, leaves, nested, parse_value, replace_tree
from drmn.errors import ConfigError
from drmn.loss_schedule import parse_schedule, weights_at
from drmn.model_config import ModelConfig

Backbone = Literal["resnet101", "resnet50", "resnet18", "densenet169"]
BackboneTraining = Literal["none", "last", "all"]
LossPreset = Literal["paper", "paper_mean", "dazle"]
Protocol = Literal["validation", "best-on-test"]


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    dataset: str = "sprites"
    image_size: int = 448  # pixels; 224 is the cheap preset

    def __post_init__(self) -> None:
        check_at_least(self, "image_size", 1)


@dataclass(frozen=True, kw_only=True)
class ValidationConfig:
    """How validation is carved out of trainval (never out of test)."""

    unseen_class_fraction: float = 0.25  # held-out seen classes that play the unseen role
    seen_image_fraction: float = 0.2  # held-out images of the other classes: they play test_seen
    fold: int = 0
    source: Literal["folds", "published"] = "folds"  # published: train_loc, val_loc if leak-free
    protocol: Protocol = "validation"

    def __post_init__(self) -> None:
        check_between(self, "unseen_class_fraction", 0.0, 1.0)
        check_between(self, "seen_image_fraction", 0.0, 1.0)
        check_at_least(self, "fold", 0)


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    name: Backbone = "resnet101"
    weights: str = "none"  # "none", "imagenet" (torchvision's download) or a file
    train: BackboneTraining = "none"
    lr: float = 1e-5  # Adam's, for the backbone alone: well below optimiser.lr
    activation_checkpointing: bool = False

    def __post_init__(self) -> None:
        check_positive(self, "lr")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Eqs. 9-11. The preset fixes seen-only CE, reduction and indicator together."""

    preset: LossPreset = "paper"
    lambda_sc: float = 0.1
    lambda_gc: float = 0.6
    schedule: str = ""  # other weights from later epochs on: drmn.loss_schedule

    def __post_init__(self) -> None:
        check_at_least(self, "lambda_sc", 0.0)
        check_at_least(self, "lambda_gc", 0.0)
        parse_schedule(self.schedule)

    def at(self, epoch: int) -> "LossConfig":
        """With the weights of ``epoch``, from 1, in place of the first ones."""
        now = weights_at(self.schedule, epoch)
        return replace(
            self,
            lambda_sc=now.get("lambda_sc", self.lambda_sc),
            lambda_gc=now.get("lambda_gc", self.lambda_gc),
        )


@dataclass(frozen=True, kw_only=True)
class InferenceConfig:
    """Algorithm 1."""

    beta: float = 0.3  # weight of the attribute branch on the seen path
    unseen_offset: float = 1.0  # the "+1[unseen]"
    ensemble: bool = True  # False: y = y1

    def __post_init__(self) -> None:
        check_between(self, "beta", 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    lr: float = 1e-3
    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    halve_every_epochs: int = 10
    warmup_steps: int = 0  # linear, from 0 to lr
    clip_grad_norm: float | None = None

    def __post_init__(self) -> None:
        check_positive(self, "lr")
        check_at_least(self, "weight_decay", 0.0)
        check_between(self, "beta1", 0.0, 1.0, open_right=True)
        check_between(self, "beta2", 0.0, 1.0, open_right=True)
        check_at_least(self, "halve_every_epochs", 1)
        check_at_least(self, "warmup_steps", 0)
        if self.clip_grad_norm is not None:
            check_positive(self, "clip_grad_norm")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    epochs: int = 30
    steps_per_epoch: int | None = None  # None: one pass over the training images
    sampler: Literal["episodic", "random"] = "episodic"
    classes_per_batch: int = 16
    images_per_class: int = 2
    augmentation: Literal["none", "flip", "crop_flip"] = "none"  # live backbones only
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    compile: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "classes_per_batch", "images_per_class"):
            check_at_least(self, name, 1)
        check_at_least(self, "seed", 0)
        if self.steps_per_epoch is not None:
            check_at_least(self, "steps_per_epoch", 1)

    @property
    def batch_size(self) -> int:
        """B: what the SIT attends over, hence never changed silently."""
        return self.classes_per_batch * self.images_per_class


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run. Override with :meth:`with_overrides`, read flat with :meth:`flat`."""

    data: DataConfig = field(default_factory=DataConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        if self.training.augmentation != "none" and self.backbone.train == "none":
            raise ConfigError(
                f"training.augmentation is {self.training.augmentation!r} while backbone.train is "
                "'none', but cached features cannot be augmented",
                "set training.augmentation=none, or backbone.train=last|all",
            )

        if self.model.standardise_levels and self.backbone.train != "none":
            raise ConfigError(
                f"model.standardise_levels is true while backbone.train is "
                f"{self.backbone.train!r}, but statistics of levels that change go stale",
                "set model.standardise_levels=false, or backbone.train=none",
            )

    def with_overrides(self, overrides: Mapping[str, Scalar]) -> "Config":
        """A copy with ``{"model.sit.heads": 8, ...}`` applied; values are type-checked.

        Raises:
            ConfigError: a path is unknown (the message names its valid siblings) or a value has
                the wrong type or range.
        """
        replaced = replace_tree(self, nested(overrides), prefix="")
        assert isinstance(replaced, Config)
        return replaced

    def flat(self) -> dict[str, Scalar]:
        """``{"model.sit.heads": 4, ...}``, every leaf, in declaration order."""
        return dict(leaves(self, ""))

    @classmethod
    def from_flat(cls, flat: Mapping[str, Scalar]) -> "Config":
        """Inverse of :meth:`flat`."""
        return cls().with_overrides(flat)

    def hash(self) -> str:
        """16 hex digits that identify the configuration (SHA-256 of its sorted JSON)."""
        text = json.dumps(self.flat(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_override(text: str) -> tuple[str, Scalar]:
    """``"loss.lambda_sc=0.2"`` -> ``("loss.lambda_sc", 0.2)``, typed by the field it names.

    Raises:
        ConfigError: there is no ``=``.
    """
    path, equals, raw = text.partition("=")
    if not equals:
        raise ConfigError(f"the override {text!r} has no '=', but must read path=value")
    return path, parse_value(Config, path, raw)
