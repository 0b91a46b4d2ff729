"""One recipe per data set: a function that returns its configuration.

Each docstring gives the paper's numbers (per cent) where it has any, and the command. Those
tables need the data sets' own photographs and a tuned ResNet-101 at 448 px on a GPU.
"""

from collections.abc import Callable

from drmn.config import (
    BackboneConfig,
    Config,
    DataConfig,
    InferenceConfig,
    LossConfig,
    TrainingConfig,
    ValidationConfig,
)
from drmn.model_config import FusionConfig, ModelConfig, SitConfig
from drmn.names import CZSL_TOP1, GZSL_HARMONIC, GZSL_SEEN, GZSL_UNSEEN


def _paper(dataset: str, *, lambda_sc: float, lambda_gc: float, beta: float) -> Config:
    """Section 4: ResNet-101 (ImageNet), Adam 1e-3 halved every 10 epochs, m = 4."""
    return Config(
        data=DataConfig(dataset=dataset, image_size=448),
        backbone=BackboneConfig(name="resnet101", weights="imagenet"),
        model=ModelConfig(sit=SitConfig(heads=8)),  # +SIT alone runs at C = 2048: 256 per head
        loss=LossConfig(lambda_sc=lambda_sc, lambda_gc=lambda_gc),
        inference=InferenceConfig(beta=beta),
    )


def cub() -> Config:
    """CUB: the paper reports Acc 82.5, U 75.5, S 78.1, H 76.8. ``drmn-sweep --dataset cub``."""
    return _paper("cub", lambda_sc=0.1, lambda_gc=0.6, beta=0.3)


def sun() -> Config:
    """SUN: the paper reports Acc 66.9, U 54.8, S 39.3, H 45.8. ``drmn-sweep --dataset sun``."""
    return _paper("sun", lambda_sc=0.1, lambda_gc=0.6, beta=0.4)


def awa2() -> Config:
    """AwA2: the paper reports Acc 74.6, U 66.1, S 77.8, H 71.5. ``drmn-sweep --dataset awa2``."""
    return _paper("awa2", lambda_sc=0.2, lambda_gc=0.5, beta=0.3)


def cifar_awa2() -> Config:
    """CIFAR-AwA2, our own benchmark (not AwA2): 20 of its classes as 32 px CIFAR photographs.

    Narrow for a CPU: the fused width is 256 (deviates from the paper's own stage width, and so
    the identity residual becomes a projection), and an epoch is 30 steps.
    """
    return Config(
        data=DataConfig(dataset="cifar-awa2", image_size=96),
        backbone=BackboneConfig(name="densenet169"),
        model=ModelConfig(standardise_levels=True, fusion=FusionConfig(channels=256)),
        loss=LossConfig(lambda_sc=0.02, lambda_gc=0.5),
        inference=InferenceConfig(beta=0.3),
        training=TrainingConfig(epochs=10, steps_per_epoch=30),
    )


def sprites() -> Config:
    """The rendered demo set: small enough for a sweep within minutes on two cores."""
    return Config(
        data=DataConfig(dataset="sprites", image_size=96),
        validation=ValidationConfig(unseen_class_fraction=0.25),
        backbone=BackboneConfig(name="resnet18"),
        model=ModelConfig(standardise_levels=True, fusion=FusionConfig(channels=128)),
        loss=LossConfig(lambda_sc=0.01, lambda_gc=0.6),
        training=TrainingConfig(epochs=10, steps_per_epoch=30),
    )


PRESETS: dict[str, Callable[[], Config]] = {
    "sprites": sprites,
    "cub": cub,
    "sun": sun,
    "awa2": awa2,
    "cifar-awa2": cifar_awa2,
}

PAPER_SCORES: dict[str, dict[str, float]] = {
    "cub": {CZSL_TOP1: 0.825, GZSL_UNSEEN: 0.755, GZSL_SEEN: 0.781, GZSL_HARMONIC: 0.768},
    "sun": {CZSL_TOP1: 0.669, GZSL_UNSEEN: 0.548, GZSL_SEEN: 0.393, GZSL_HARMONIC: 0.458},
    "awa2": {CZSL_TOP1: 0.746, GZSL_UNSEEN: 0.661, GZSL_SEEN: 0.778, GZSL_HARMONIC: 0.715},
}
"""Table 1, DRMN's row, as fractions."""


def preset(dataset: str) -> Config:
    """The recipe of ``dataset``; a data set without one gets the paper's common settings."""
    if dataset in PRESETS:
        return PRESETS[dataset]()
    return _paper(dataset, lambda_sc=0.1, lambda_gc=0.6, beta=0.3)
