"""Accuracy as zero-shot learning means it: the mean over classes of per-class top-1. Fractions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from drmn.config import InferenceConfig
from drmn.errors import DataError
from drmn.inference import gzsl_predict
from drmn.logits import Logits


@dataclass(frozen=True, kw_only=True)
class Accuracies:
    """GZSL's U and S and their harmonic mean, 0..1."""

    unseen: float
    seen: float

    @property
    def harmonic(self) -> float:
        return harmonic_mean(self.unseen, self.seen)


def class_accuracies(
    predictions: Int[Tensor, " N"], labels: Int[Tensor, " N"], num_classes: int
) -> Float[Tensor, " K"]:
    """Top-1 of each class among its own images; NaN for a class without images."""
    num_images = torch.bincount(labels, minlength=num_classes)
    num_correct = torch.bincount(labels[predictions == labels], minlength=num_classes)
    return num_correct.double() / num_images.double()


def per_class_accuracy(predictions: Int[Tensor, " N"], labels: Int[Tensor, " N"]) -> float:
    """Mean of :func:`class_accuracies` over the classes present.

    Raises:
        DataError: there is no image.
    """
    if not len(labels):
        raise DataError(
            "accuracy was asked of 0 images, but a part to evaluate must hold at least 1",
            "check the split: its seen and its unseen part both need images",
        )
    return float(class_accuracies(predictions, labels, int(labels.max()) + 1).nanmean())


def harmonic_mean(unseen: float, seen: float) -> float:
    """H = 2 S U / (S + U), and 0 where both are 0."""
    total = unseen + seen
    return 2.0 * seen * unseen / total if total else 0.0


def gzsl_accuracies(logits: Logits, config: InferenceConfig) -> Accuracies:
    """U and S of Algorithm 1: each part's images classified among all K classes.

    Raises:
        DataError: no image of a seen, or of an unseen, class.
    """
    predictions = gzsl_predict(logits.o, logits.g, logits.seen, config)
    is_seen = logits.seen[logits.labels]
    return Accuracies(
        unseen=per_class_accuracy(predictions[~is_seen], logits.labels[~is_seen]),
        seen=per_class_accuracy(predictions[is_seen], logits.labels[is_seen]),
    )
