"""Every metric name, written once. MLflow, Tune, Optuna and the tables use these strings."""

from typing import Literal

Phase = Literal["val", "test"]

CZSL_TOP1 = "czsl_top1"
GZSL_UNSEEN = "gzsl_unseen"
GZSL_SEEN = "gzsl_seen"
GZSL_HARMONIC = "gzsl_harmonic"
GZSL_AUSUC = "gzsl_ausuc"
SCORES = (CZSL_TOP1, GZSL_UNSEEN, GZSL_SEEN, GZSL_HARMONIC)

BETA_EXACT = "beta_exact"
"""The best ensemble weight beta, found exactly."""
GZSL_HARMONIC_AT_BETA_EXACT = "gzsl_harmonic_at_beta_exact"

LOSS_TOTAL = "loss/total"
LOSS_ATTRIBUTE = "loss/attribute"
LOSS_SELF_CALIBRATION = "loss/self_calibration"
LOSS_GLOBAL = "loss/global"

TIME_EPOCH_S = "time/epoch_s"
TIME_DATA_WAIT_SHARE = "time/data_wait_share"
"""Share of an epoch's training time spent waiting for the data to be read."""
COST_GPU_HOURS = "cost/gpu_hours"
EPOCH = "epoch"


def phased(phase: Phase, name: str) -> str:
    """``val/gzsl_harmonic`` from ``("val", "gzsl_harmonic")``."""
    return f"{phase}/{name}"


OBJECTIVE = phased("val", GZSL_HARMONIC)
