"""Every figure an evaluation reports, under the names of :mod:`drmn.names`; fractions 0..1."""

from drmn import names
from drmn.accuracy import (
    class_accuracies,
    gzsl_accuracies,
    harmonic_mean,
    per_class_accuracy,
)
from drmn.calibration import exact_beta, seen_unseen_curve
from drmn.config import InferenceConfig
from drmn.inference import czsl_predict
from drmn.logits import Logits

__all__ = [
    "ausuc",
    "class_accuracies",
    "czsl_accuracy",
    "gzsl_accuracies",
    "harmonic_mean",
    "per_class_accuracy",
    "score",
]


def czsl_accuracy(logits: Logits) -> float:
    """Per-class accuracy of the unseen part, classified among the unseen classes alone."""
    unseen = ~logits.seen[logits.labels]
    return per_class_accuracy(czsl_predict(logits.o[unseen], logits.seen), logits.labels[unseen])


def ausuc(logits: Logits) -> float:
    """Area under the seen-unseen curve of o as the unseen offset sweeps the reals, exactly."""
    return seen_unseen_curve(logits).area


def score(logits: Logits, inference: InferenceConfig) -> dict[str, float]:
    """All metrics of one evaluation, without a phase prefix.

    Without the ensemble (or a global branch) beta is 1 by definition: see
    :func:`drmn.calibration.exact_beta`.

    Raises:
        DataError: no image of a seen, or of an unseen, class.
    """
    gzsl = gzsl_accuracies(logits, inference)
    best = exact_beta(logits, inference.unseen_offset, ensemble=inference.ensemble)
    return {
        names.CZSL_TOP1: czsl_accuracy(logits),
        names.GZSL_UNSEEN: gzsl.unseen,
        names.GZSL_SEEN: gzsl.seen,
        names.GZSL_HARMONIC: gzsl.harmonic,
        names.GZSL_AUSUC: ausuc(logits),
        names.BETA_EXACT: best.beta,
        names.GZSL_HARMONIC_AT_BETA_EXACT: best.harmonic,
    }
