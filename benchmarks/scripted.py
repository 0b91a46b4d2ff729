"""What the trivial trials report: scripted metrics, the same for every contender, no training.

Standard library alone: a worker that imports this must not be charged for more, and no contender's
trials import torch. All trials report
the same values, so that ASHA, which stops what is worse than the best, lets all of them go on and
every contender handles the same number of epochs.
"""

NUM_EPOCHS = 5
OBJECTIVE = "val/gzsl_harmonic"
_NAMES = (
    OBJECTIVE,
    "val/czsl_top1",
    "val/gzsl_unseen",
    "val/gzsl_seen",
    "val/gzsl_ausuc",
    "val/beta_exact",
    "val/gzsl_harmonic_at_beta_exact",
    "loss/total",
    "loss/attribute",
    "loss/self_calibration",
    "loss/global",
    "time/epoch_s",
)
RANGES = {
    "loss.lambda_sc": (0.001, 1.0),
    "loss.lambda_gc": (0.1, 1.5),
    "inference.beta": (0.0, 1.0),
    "model.classifier.gamma": (3.0, 10.0),
}


def metrics(epoch: int) -> dict[str, float]:
    """The twelve of ``epoch``, which counts from 1."""
    return {name: (epoch + place) / 100 for place, name in enumerate(_NAMES)}
