"""Optuna behind Ray Tune: storage, study, samplers, and what asks and tells."""
